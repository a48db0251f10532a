// Drawing anew only what shows something else.

import { Component, h, type FunctionComponent, type VNode } from "preact";
import { useRef } from "preact/hooks";

/** A component that is drawn anew only when one of its properties is another one; functions do not count. */
export function memo<P extends object>(draw: FunctionComponent<P>): FunctionComponent<P> {
  class Memo extends Component<P> {
    override shouldComponentUpdate(next: Readonly<P>): boolean {
      const before = this.props as Record<string, unknown>;
      const after = next as Record<string, unknown>;
      for (const name in after) if (before[name] !== after[name] && typeof after[name] !== "function") return true;
      return false;
    }
    override render() {
      return h(draw, this.props as P & preactKey);
    }
  }
  return Memo as unknown as FunctionComponent<P>;
}

type preactKey = { key?: unknown };

/** ``kept(name, of, make)``: an element as it was made, until something that it is made of is another one. */
export function useKept(): (name: string, of: readonly unknown[], make: () => VNode) => VNode {
  const all = useRef(new Map<string, { of: readonly unknown[]; made: VNode }>()).current;
  return (name, of, make) => {
    const known = all.get(name);
    if (known && known.of.every((part, i) => part === of[i])) return known.made;
    const made = make();
    all.set(name, { of, made });
    return made;
  };
}
