"""What a machine can see of how a page looks: what sticks out, is too small to hit, too faint to read, or unmarked.

Each of these scripts gives a list of faults, in words, of the page as it stands.
"""

from __future__ import annotations

# Sideways scrolling, and visible things that end beyond their window (what scrolls in a frame of its own is fine).
STICKS_OUT = """() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    const name = ({ tagName, id, className }) => `${tagName}#${id}.${className.baseVal ?? className}`;
    const wide = [...document.querySelectorAll("body *")].filter((element) => {
        if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) return false;
        const { right, left, width } = element.getBoundingClientRect();
        if (width <= 1 || (right <= clientWidth + 0.5 && left >= -0.5)) return false;
        for (let frame = element.parentElement; frame; frame = frame.parentElement) {
            const { overflowX } = getComputedStyle(frame);
            if (frame.clientWidth <= 1 && overflowX === "hidden") return false;
            if (/auto|scroll/.test(overflowX) && frame.scrollWidth > frame.clientWidth) return false;
        }
        return true;
    });
    return [...(scrollWidth > clientWidth ? [`the page is ${scrollWidth} px wide`] : []), ...wide.map(name)];
}"""

# Anything that a finger presses and that is smaller than 44 x 44 px. What stands in a line of text is as high as the
# line; a field in a label can be pressed anywhere on the label.
TOO_SMALL = """() => {
    const pressed = "button, a[href], input, select, textarea, summary, [role='button'], [role='option'], [role='tab']";
    const faults = [];
    for (const element of document.querySelectorAll(pressed)) {
        if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
        if (element.disabled || element.matches("p a, .prose a, .cite, [tabindex='-1']:not([type='range'])")) continue;
        const boxes = [element, element.closest("label")].filter(Boolean).map((one) => one.getBoundingClientRect());
        const width = Math.max(...boxes.map((box) => box.width)), height = Math.max(...boxes.map((box) => box.height));
        const isHidden = boxes[0].width <= 1 && boxes.length === 1;
        if (isHidden || (width >= 43.5 && height >= 43.5)) continue;
        const words = element.getAttribute("aria-label") || element.textContent.trim() || element.placeholder || "";
        faults.push(`${element.localName}.${element.className} "${words.slice(0, 30)}": ${width} x ${height}`);
    }
    return faults;
}"""

# Text whose contrast is below WCAG's AA: 4.5, or 3 for large letters. What is disabled need not be readable.
TOO_FAINT = """() => {
    // Colours on their way to another scheme are neither.
    for (const change of document.getAnimations()) if (change instanceof CSSTransition) change.finish();
    const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", {
        willReadFrequently: true,
    });
    const parse = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
        return [red, green, blue, alpha / 255];
    };
    const over = (front, back) =>
        front.map((part, index) => (index < 3 ? part * front[3] + back[index] * (1 - front[3]) : 1));
    const backOf = (element) => {
        const layers = [];
        for (let one = element; one; one = one.parentElement) {
            const style = getComputedStyle(one);
            if (style.backgroundImage !== "none") return null;
            layers.push(parse(style.backgroundColor));
            if (layers.at(-1)[3] === 1) break;
        }
        return layers.reduceRight((back, front) => over(front, back), [255, 255, 255, 1]);
    };
    const light = ([red, green, blue]) => {
        const [r, g, b] = [red, green, blue].map((part) => {
            const share = part / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const faults = new Set();
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const element = texts.currentNode.parentElement;
        const words = texts.currentNode.data.trim();
        if (!words || !element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
        if (element.closest("script, style, noscript, :disabled, [aria-disabled='true'], .only-spoken, svg")) continue;
        const back = backOf(element);
        if (!back) continue;
        const style = getComputedStyle(element);
        const colour = parse(style.color);
        if (colour[3] === 0) continue;  // a layer that only places marks under a field's own words
        const front = over(colour, back);
        const [high, low] = [light(front), light(back)].sort((a, b) => b - a);
        const size = parseFloat(style.fontSize);
        const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
        const contrast = (high + 0.05) / (low + 0.05);
        const name = `${element.localName}.${element.className}`;
        if (contrast < needed) faults.add(`${name} "${words.slice(0, 30)}": ${contrast.toFixed(2)}`);
    }
    return [...faults];
}"""

# Everything that Tab comes to shows that it has the focus: its own outline, or a frame around it.
TAB_STOP = """() => {
    const element = document.activeElement;
    if (!element || element === document.body) return null;
    const name = `${element.localName}#${element.id}.${element.className} "${(element.getAttribute("aria-label") ??
        element.textContent ?? "").trim().slice(0, 30)}"`;
    const isMarked = (one) => {
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(one);
        return (outlineStyle !== "none" && parseFloat(outlineWidth) >= 1) || boxShadow !== "none";
    };
    const isSeen = element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
    const { right, left, bottom, top } = element.getBoundingClientRect();
    const isInside = right > 0 && left < innerWidth && bottom > 0 && top < innerHeight;
    element.dataset.tabs = String(Number(element.dataset.tabs ?? 0) + 1);
    const isFine = (isMarked(element) || isMarked(element.parentElement)) && isSeen && isInside;
    return { name, isFine, isKnown: element.dataset.tabs !== "1" };
}"""
