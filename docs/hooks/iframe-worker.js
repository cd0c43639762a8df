// The search runs in a Worker, which browsers refuse to a page that was opened as a file: a hidden frame does its work.
class FrameWorker extends EventTarget {
  constructor(address) {
    super();
    const frame = document.createElement("iframe");
    frame.hidden = true;
    document.body.append(frame);
    this.inside = frame.contentWindow;
    this.inside.postMessage = data => this.dispatchEvent(new MessageEvent("message", {data}));
    const script = frame.contentDocument.createElement("script");
    this.ready = new Promise(resolve => script.addEventListener("load", resolve));
    script.src = address;
    frame.contentDocument.body.append(script);
  }
  postMessage(data) {
    this.ready.then(() => this.inside.dispatchEvent(new MessageEvent("message", {data})));
  }
}
if (location.protocol === "file:") window.Worker = FrameWorker;
