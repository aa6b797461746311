"""Searching the best position between task vectors. The plain name, `spkit.search`, is a public function."""
