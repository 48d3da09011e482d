// Which elements are near the window: with hundreds of open cards, only those have rows.

const MARGIN = "800px";
const heard = new WeakMap<Element, (near: boolean) => void>();
const observer = new IntersectionObserver(
  (entries) => entries.forEach((entry) => heard.get(entry.target)?.(entry.isIntersecting)),
  { rootMargin: MARGIN },
);

/** Tells whether an element is near the window, now and whenever that changes; gives a function that ends it. */
export function whenNear(element: Element, tell: (near: boolean) => void): () => void {
  heard.set(element, tell);
  observer.observe(element);
  return () => {
    observer.unobserve(element);
    heard.delete(element);
  };
}
