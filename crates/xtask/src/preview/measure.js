// Measures the page that it stands in: what cannot be read, tapped or seen, and what makes one answer weigh more than the other.
(() => {
  const faults = [];
  const said = (element) => (element.textContent || element.outerHTML).trim().slice(0, 40);

  const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };

  let texts = 0;
  let lowest = 21;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || ["SCRIPT", "STYLE"].includes(element.tagName)) continue;
    texts += 1;
    const ratio = contrast(channels(getComputedStyle(element).color), ground(element));
    lowest = Math.min(lowest, ratio);
    // WCAG 2.2, 1.4.3
    if (ratio < 4.5) faults.push(`contrast ${ratio.toFixed(2)}: ${said(element)}`);
  }

  const targets = [...document.querySelectorAll("button, a, input")];
  let smallest = Infinity;
  for (const target of targets) {
    const { width, height } = target.getBoundingClientRect();
    smallest = Math.min(smallest, width, height);
    // Android: 48 dp; WCAG 2.2, 2.5.5: 44 px.
    if (width < 48 || height < 48) faults.push(`${width}x${height} is too small to tap: ${said(target)}`);
  }

  const choices = [...document.querySelectorAll(".choice")];
  for (const choice of choices) {
    const looks = [...choice.children].map((button) => {
      const { width, height, top } = button.getBoundingClientRect();
      const { color, backgroundColor, fontSize, fontWeight, borderColor, opacity } = getComputedStyle(button);
      return JSON.stringify([Math.round(width), Math.round(height), Math.round(top), color, backgroundColor, fontSize, fontWeight, borderColor, opacity]);
    });
    if (looks.length !== 2 || looks[0] !== looks[1]) faults.push(`two answers of unequal weight: ${said(choice)}`);
  }

  for (const flow of document.querySelectorAll(".flow")) {
    const { accept, refuse } = flow.dataset;
    if (Number(refuse) > Math.max(Number(accept), 1)) faults.push(`a no takes ${refuse} taps, a yes ${accept}: ${said(flow)}`);
  }
  for (const box of document.querySelectorAll("input[type=checkbox]")) {
    if (box.checked) faults.push(`a switch is on before anybody chose: ${said(box.parentElement)}`);
  }
  for (const screen of document.querySelectorAll(".phone")) {
    if (!screen.lang) faults.push(`a screen without a language: ${said(screen)}`);
  }
  for (const field of document.querySelectorAll("input")) {
    if (!field.closest("label")) faults.push(`a field without a label: ${said(field)}`);
  }
  const overflow = document.documentElement.scrollWidth - innerWidth;
  if (overflow > 0) faults.push(`the page is ${overflow} px wider than the phone`);
  const fetched = performance.getEntriesByType("resource").map((entry) => entry.name);
  if (fetched.length) faults.push(`the page fetches ${fetched}`);

  const screens = document.querySelectorAll(".phone").length;
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const measured = { texts, lowest, targets: targets.length, smallest, choices: choices.length, screens, dark, width: innerWidth, faults };
  // Letters of every language, in a form that no markup gets at.
  const bytes = [...new TextEncoder().encode(JSON.stringify(measured))];
  parent.document.body.append("measured:" + bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("") + ".");
})();
