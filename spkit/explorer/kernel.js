// Says on the page that the kernel is gone: nothing that is shown changes any more then.
const GONE = new Set(["dead", "terminating", "restarting", "autorestarting"]);

function watchKernel(model, el) {
  const root = () => el.closest(".spkit-explorer");
  let banner = null;
  let gone = false; // a kernel that was started anew knows nothing of this page
  function lost() {
    const where = root();
    if (!where || banner) return;
    banner = document.createElement("div");
    banner.className = "spkit-lost-banner";
    banner.setAttribute("role", "alert");
    const place = document.createElement("code");
    place.textContent = model.get("text");
    banner.append("The kernel is gone: nothing here changes any more, and the numbers are the last that were known. " +
      "Reload the page, or run the cell again. You were at ", place);
    where.prepend(banner);
    banner.scrollIntoView({ block: "nearest" });
    where.classList.add("spkit-lost");
  }
  function regained() {
    banner?.remove();
    banner = null;
    root()?.classList.remove("spkit-lost");
  }
  const kernel = model.widget_manager?.kernel;
  const ended = () => {
    gone = true;
    lost();
  };
  const status = (_, now) => { if (GONE.has(now)) ended(); };
  const connection = (_, now) => {
    if (now === "disconnected") lost();
    else if (now === "connected" && !gone) regained();
  };
  kernel?.statusChanged?.connect(status);
  kernel?.connectionStatusChanged?.connect(connection);
  kernel?.disposed?.connect(ended);
  model.on("comm_live_update", ended);
  return () => {
    kernel?.statusChanged?.disconnect(status);
    kernel?.connectionStatusChanged?.disconnect(connection);
    kernel?.disposed?.disconnect(ended);
  };
}
