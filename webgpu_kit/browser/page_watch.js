// Put into every watched page before its own code runs: what Playwright does not tell by itself.

{
  const watch = { violations: [], longTasks: null, readyAt: null, runs: [] };
  Object.defineProperty(window, "__webgpuKitWatch", { value: watch });

  addEventListener("securitypolicyviolation", (event) => {
    const place = event.sourceFile ? `${event.sourceFile}:${event.lineNumber}` : "";
    watch.violations.push({ directive: event.effectiveDirective, blocked: event.blockedURI, where: place });
  });

  // Polling sees "ready" late and never exactly; the observer sees it in the same task.
  new MutationObserver(() => {
    if (document.documentElement?.dataset.kitStatus === "ready") watch.readyAt ??= performance.now();
  }).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-kit-status"] });

  if (PerformanceObserver.supportedEntryTypes.includes("longtask")) {
    watch.longTasks = [];
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) watch.longTasks.push({ startTime, duration });
    }).observe({ type: "longtask", buffered: true });
  }
}
