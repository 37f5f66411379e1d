// Tooltips that pointer, keyboard and touch reach: what has data-tip says it when it is pointed at, focused or touched.

import { useEffect, useRef, useState } from "preact/hooks";

interface Shown { text: string; left: number; top: number; below: number; of: Element }

const tipped = (event: Event) =>
  event.composedPath().find((each): each is Element => each instanceof Element && each.hasAttribute("data-tip")) ?? null;

export function Tips() {
  const [shown, setShown] = useState<Shown | null>(null);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const show = (element: Element | null) => {
      setShown((before) => {
        if (before && before.of !== element) before.of.removeAttribute("aria-describedby");
        if (!element) return null;
        const rect = element.getBoundingClientRect();
        if (element.getRootNode() === document) element.setAttribute("aria-describedby", "tip");
        return { text: element.getAttribute("data-tip") ?? "", left: rect.left, top: rect.top, below: rect.bottom, of: element };
      });
    };
    const over = (event: Event) => show(tipped(event));
    const left = (event: PointerEvent) => { if (!(event.relatedTarget instanceof Element)) show(null); };
    const key = (event: KeyboardEvent) => { if (event.key === "Escape") show(null); };
    const scrolled = () => setShown((now) => { // what is focused may have been scrolled to: the tip goes along
      if (!now) return null;
      const rect = now.of.getBoundingClientRect();
      return rect.bottom < 0 || rect.top > innerHeight ? null : { ...now, left: rect.left, top: rect.top, below: rect.bottom };
    });
    document.addEventListener("pointerover", over);
    document.addEventListener("focusin", over);
    document.addEventListener("click", over);
    document.addEventListener("pointerout", left);
    document.addEventListener("keydown", key);
    addEventListener("scroll", scrolled, { passive: true });
    return () => {
      document.removeEventListener("pointerover", over);
      document.removeEventListener("focusin", over);
      document.removeEventListener("click", over);
      document.removeEventListener("pointerout", left);
      document.removeEventListener("keydown", key);
      removeEventListener("scroll", scrolled);
    };
  }, []);
  useEffect(() => {
    if (!shown || !box.current) return;
    const { width, height } = box.current.getBoundingClientRect();
    const left = Math.max(8, Math.min(shown.left, document.documentElement.clientWidth - width - 8));
    const top = shown.below + 6 + height > innerHeight ? shown.top - height - 6 : shown.below + 6;
    box.current.style.left = `${left}px`;
    box.current.style.top = `${Math.max(4, top)}px`;
  }, [shown]);
  return shown && shown.text ? <div class="tip" id="tip" role="tooltip" ref={box}>{shown.text}</div> : null;
}
