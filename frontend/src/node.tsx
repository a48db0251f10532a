// One step in the graph: a button whose words and numbers depend on how much room there is.

import { duration, elapsed, middle } from "./format";
import { memo } from "./memo";
import { Mark } from "./parts";
import type { LevelName, Shown } from "./types";

/** Letters that a node has room for beside its mark, word and number together. */
const ROOM = 22;

interface NodeProps {
  name: string;
  when: string;
  shown: Shown;
  x: number;
  y: number;
  width: number;
  level: LevelName;
  cut: boolean;
  selected: boolean;
  dimmed: boolean;
  stop: boolean;
  now: number;
  select: (name: string) => void;
  open: (name: string) => void;
  goTo: (name: string) => void;
  hover: (name: string | null) => void;
}

const KINDS: Record<LevelName, string> = { full: "node", compact: "node c", line: "node x", overview: "dot" };

export const NodeView = memo(function NodeView(props: NodeProps) {
  const { name, shown, level } = props;
  const number = said(shown, props.now, level);
  const spoken = [name, shown.word, number, props.when && `runs ${props.when.startsWith("on ") || props.when === "else" ? "" : "if "}${props.when}`].filter(Boolean).join(", ");
  const title = [spoken, shown.text || shown.reasons].filter(Boolean).join(": ");
  const kinds = [KINDS[level], props.selected && "sel", props.dimmed && "dimmed", shown.share !== null && level !== "line" && "map"];
  return (
    <button
      type="button"
      class={kinds.filter(Boolean).join(" ")}
      data-s={shown.state}
      data-step={name}
      style={{ left: props.x, top: props.y, width: props.width }}
      title={title}
      aria-label={spoken}
      aria-pressed={props.selected}
      tabIndex={props.stop ? 0 : -1}
      onClick={() => props.open(name)}
      onDblClick={() => props.goTo(name)}
      onFocus={() => props.hover(name)}
      onBlur={() => props.hover(null)}
      onMouseEnter={() => props.hover(name)}
      onMouseLeave={() => props.hover(null)}
    >
      {level !== "overview" && <Mark state={shown.state} />}
      {level !== "overview" && <span class="nm">{props.cut ? middle(name, Math.floor((props.width - 46) / 7.2)) : name}</span>}
      {(level === "full" || level === "compact") && (
        <span class="mt">
          <span class="w">{level === "full" && shown.text ? `${shown.word}, ${shown.text}` : shown.word}</span>
          {number && <span class="t">{number}</span>}
        </span>
      )}
      {shown.share !== null && shown.state === "running" && (level === "full" || level === "compact") && (
        <span class="pb">
          <i style={{ width: `${(shown.share * 100).toFixed(1)}%` }} />
        </span>
      )}
    </button>
  );
});

/** What stands beside the word: what Python says, or how long the state has lasted. */
function said(shown: Shown, now: number, level: LevelName): string {
  const ticking = shown.since !== null && now > 0 ? elapsed(now - shown.since) : "";
  const usual = ticking && shown.usual ? ` of ~${duration(shown.usual)}` : "";
  const long = level === "compact" || `${shown.word}${ticking}${usual}`.length > ROOM;
  const number = shown.number || ticking + (long ? "" : usual);
  if (level !== "compact") return number;
  if (shown.share !== null) return `${Math.floor(shown.share * 100)}%`;
  const first = number.split(" ")[0]!;
  return shown.word.length > 9 || !/^[~<\d]/.test(first) ? "" : first;
}
