// Times as the Python side writes them (nbsteps.display.wording); only what ticks in the page is written here.

export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  const positive = Math.max(seconds, 0);
  if (positive < 59.5) return belowAMinute(positive);
  const whole = Math.round(positive);
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${pad(whole % 60)}s`;
  const minutes = Math.round(positive / 60);
  return `${Math.floor(minutes / 60)}h ${pad(minutes % 60)}m`;
}

function belowAMinute(seconds: number): string {
  if (seconds > 0 && seconds < 0.0005) return "<1ms";
  if (seconds < 0.0995) return `${Math.round(seconds * 1000)}ms`;
  return seconds < 9.95 ? `${seconds.toFixed(1)}s` : `${Math.round(seconds)}s`;
}

function pad(number: number): string {
  return String(number).padStart(2, "0");
}

/** An estimate, as nbsteps.display.wording.roughly writes it; never negative. */
export function roughly(seconds: number): string {
  if (!(seconds >= 10 && seconds < Infinity)) return "a few seconds";
  if (seconds < 55) return `${Math.ceil(Math.floor(seconds) / 5) * 5}s`;
  const minutes = seconds < 3600 ? Math.max(Math.round(seconds / 60), 1) : Math.round(seconds / 300) * 5;
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return [hours && `${hours} h`, rest && `${rest} min`].filter(Boolean).join(" ");
}

/** Whole seconds: what ticks must not change its width every tenth of a second. */
export function elapsed(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  return whole < 60 ? `${whole}s` : duration(whole);
}

/** "Today 14:10", "Yesterday 18:33", "3 Nov 09:12", in the reader's time zone. */
export function moment(at: number, now: number): string {
  const date = new Date(at * 1000);
  const clock = `${pad(date.getHours())}:${pad(date.getMinutes())}`;
  const days = Math.round((midnight(new Date(now * 1000)) - midnight(date)) / 86_400_000);
  if (days === 0) return `Today ${clock}`;
  if (days === 1) return `Yesterday ${clock}`;
  return `${date.getDate()} ${MONTHS[date.getMonth()]} ${clock}`;
}

export function clock(at: number): string {
  const date = new Date(at * 1000);
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function midnight(date: Date): number {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

/** "38 min ago". */
export function ago(seconds: number): string {
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  const days = Math.floor(seconds / 86_400);
  return days === 1 ? "1 day ago" : `${days} days ago`;
}

/** A name that keeps its end: for names that begin alike. */
export function middle(name: string, length: number): string {
  if (name.length <= length) return name;
  const head = Math.ceil((length - 1) / 2);
  return `${name.slice(0, head)}…${name.slice(name.length - (length - 1 - head))}`;
}
