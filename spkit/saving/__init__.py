"""What a merged folder says of itself: recipe, model card, configuration of mergekit."""
