// A unified diff, side by side.

export interface Pair {
  before: string | null;
  after: string | null;
  same: boolean;
}

export function split(diff: string): Pair[] {
  const pairs: Pair[] = [];
  let removed: string[] = [];
  let added: string[] = [];
  const flush = () => {
    for (let i = 0; i < Math.max(removed.length, added.length); i++) {
      pairs.push({ before: removed[i] ?? null, after: added[i] ?? null, same: false });
    }
    [removed, added] = [[], []];
  };
  for (const line of diff.split("\n").slice(2)) {
    if (line.startsWith("-")) removed.push(line.slice(1));
    else if (line.startsWith("+")) added.push(line.slice(1));
    else {
      flush();
      const text = line.startsWith("@@") ? line : line.slice(1);
      pairs.push({ before: text, after: text, same: true });
    }
  }
  flush();
  return pairs;
}
