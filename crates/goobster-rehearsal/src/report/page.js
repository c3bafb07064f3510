(() => {
  const svg = document.getElementById("timeline"), zoom = document.getElementById("zoom");
  if (!svg || !zoom) return;
  document.documentElement.classList.add("js");
  const width = svg.viewBox.baseVal.width, height = svg.viewBox.baseVal.height;
  zoom.addEventListener("input", () => {
    const by = Math.pow(2, Number(zoom.value));
    svg.setAttribute("width", width * by);
    svg.setAttribute("height", height * Math.min(by, 1.5));
    svg.setAttribute("preserveAspectRatio", "none");
  });
})();
