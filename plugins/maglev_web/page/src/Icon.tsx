// Small pictures: each has a shape of its own, so that colour is never all that tells them apart.

import type { JSX } from "solid-js";

const SHAPES: Record<string, () => JSX.Element> = {
  serving: () => <path d="M3 8.5l3.2 3.2L13 5" />,
  degraded: () => <path d="M8 2.5L14.5 13.5H1.5zM8 6.5v3M8 11.4v.3" />,
  fallback: () => <path d="M2.5 4.5h6a3.5 3.5 0 010 7H5M7.5 8.8L4.8 11.5l2.7 2.7" />,
  down: () => <path d="M4 4l8 8M12 4l-8 8" />,
  unknown: () => <path d="M5.5 6a2.5 2.5 0 113.6 2.2c-.8.4-1.1.9-1.1 1.8M8 12.6v.2" />,
  differs: () => <path d="M3 6h10M3 10h10M10.5 3l-5 10" />,
  up: () => <path d="M3 8.5l3.2 3.2L13 5" />,
  paused: () => <path d="M5.5 4v8M10.5 4v8" />,
  disabled: () => <path d="M8 2.5a5.5 5.5 0 100 11 5.5 5.5 0 000-11zM4.2 4.2l7.6 7.6" />,
  removed: () => <path d="M3.5 8h9" />,
  chevron: () => <path d="M5.5 3.5L10 8l-4.5 4.5" />,
};

export function Icon(props: { name: string }) {
  return (
    <svg class="icon" data-icon={props.name} viewBox="0 0 16 16" aria-hidden="true">
      {SHAPES[props.name]?.()}
    </svg>
  );
}
