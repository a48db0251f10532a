// A component that is drawn anew only when one of its properties is another one; functions do not count.

import { Component, h, type FunctionComponent } from "preact";

export function memo<P extends object>(draw: FunctionComponent<P>): FunctionComponent<P> {
  class Memo extends Component<P> {
    override shouldComponentUpdate(next: Readonly<P>): boolean {
      const before = this.props as Record<string, unknown>;
      return Object.entries(next).some(([name, value]) => typeof value !== "function" && before[name] !== value);
    }
    override render() {
      return h(draw, this.props as P & preactKey);
    }
  }
  return Memo as unknown as FunctionComponent<P>;
}

type preactKey = { key?: unknown };
