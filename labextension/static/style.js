// How the notebook's toolbar and the marks on its cells look, in the colours of the page's theme.
export const STYLE = `
.nbs-bar,.nbs-mark{
  --nbs-fg:var(--jp-ui-font-color0,#000);--nbs-bg:var(--jp-layout-color1,#fff);
  --nbs-fg2:color-mix(in srgb,var(--nbs-fg) 64%,var(--nbs-bg));
  --nbs-line:color-mix(in srgb,var(--nbs-fg) 22%,var(--nbs-bg));
  --nbs-blue:var(--jp-brand-color1,#1976d2);
  --nbs-green:color-mix(in srgb,var(--jp-success-color1,#388e3c) 62%,var(--jp-info-color1,#0288d1));
  --nbs-amber:color-mix(in srgb,var(--jp-warn-color1,#f57c00) 76%,var(--jp-success-color1,#388e3c));
  --nbs-red:var(--jp-error-color1,#d32f2f);
  --nbs-purple:color-mix(in srgb,var(--jp-mirror-editor-operator-color,#7800c2) 72%,var(--nbs-fg));
  --nbs-grey:color-mix(in srgb,var(--nbs-fg) 56%,var(--nbs-bg));
  font-family:var(--jp-ui-font-family);font-size:12px;line-height:16px}
.nbs-s{--hue:var(--nbs-grey);--ink:color-mix(in srgb,var(--hue) 64%,var(--nbs-fg));--knock:var(--nbs-bg)}
.nbs-s[data-s=running]{--hue:var(--nbs-blue)}
.nbs-s[data-s=retrying],.nbs-s[data-s=stale]{--hue:var(--nbs-amber)}
.nbs-s[data-s=waiting]{--hue:var(--nbs-purple)}
.nbs-s[data-s=succeeded],.nbs-s[data-s=cached]{--hue:var(--nbs-green)}
.nbs-s[data-s=failed],.nbs-s[data-s=upstream_failed],.nbs-s[data-s=crashed]{--hue:var(--nbs-red)}
.nbs-s>svg{width:14px;height:14px;flex:none;color:var(--hue);display:block}
.nbs-word{color:var(--ink);font-weight:500}
.nbs-more{color:var(--nbs-fg2);font-variant-numeric:tabular-nums;overflow:hidden;text-overflow:ellipsis}
.nbs-bar{display:flex;align-items:center;height:24px;margin:0 4px}
.nbs-bar[hidden]{display:none}
.nbs-bar>button{appearance:none;display:inline-flex;align-items:center;gap:6px;height:24px;padding:0 8px;margin:0;
  border:1px solid var(--nbs-line);background:var(--nbs-bg);color:var(--nbs-fg);font:inherit;white-space:nowrap;
  cursor:pointer}
.nbs-bar>button+button{border-left:0;width:26px;padding:0;justify-content:center}
.nbs-bar>button:first-child{border-radius:4px 0 0 4px}
.nbs-bar>button:last-child{border-radius:0 4px 4px 0}
.nbs-bar>button:hover:not(:disabled){background:color-mix(in srgb,var(--nbs-fg) 6%,var(--nbs-bg))}
.nbs-bar>button:disabled{color:color-mix(in srgb,var(--nbs-fg) 38%,var(--nbs-bg));cursor:default}
.nbs-bar>button:focus-visible{outline:2px solid var(--nbs-blue);outline-offset:1px;z-index:1}
.nbs-bar>button>svg{width:14px;height:14px;flex:none}
.jp-Cell:has(>.jp-Cell-inputWrapper .nbs-mark) .jp-InputArea-editor{position:relative}
.nbs-mark{position:absolute;top:4px;right:8px;z-index:3;display:flex;align-items:center;gap:6px;max-width:45%;
  padding:1px 6px;border-radius:4px;white-space:nowrap;background:var(--jp-cell-editor-background,var(--nbs-bg));
  transition:opacity .12s;cursor:default}
.nbs-mark .nbs-pb{position:absolute;left:6px;right:6px;bottom:-3px;height:2px;border-radius:1px;
  background:color-mix(in srgb,var(--hue) 22%,var(--nbs-bg))}
.nbs-mark .nbs-pb>i{display:block;height:2px;border-radius:1px;background:var(--hue)}
.nbs-mark.nbs-faint{opacity:.15}
.jp-Cell.jp-mod-active:has(.jp-cell-toolbar) .nbs-mark{right:190px}
.jp-InputArea-editor{container:nbs-editor/inline-size}
@container nbs-editor (max-width:520px){.nbs-mark .nbs-more{display:none}}
@container nbs-editor (max-width:320px){.nbs-mark .nbs-word{display:none}}
.nbs-turn{transform-origin:8px 8px;animation:nbs-turn 1.4s linear infinite}
@keyframes nbs-turn{to{transform:rotate(360deg)}}
@media (prefers-reduced-motion:reduce){.nbs-turn{animation:none}.nbs-mark{transition:none}}
@media (forced-colors:active){.nbs-bar>button,.nbs-mark{border:1px solid ButtonBorder}}
@media print{.nbs-mark{position:static}}`;
