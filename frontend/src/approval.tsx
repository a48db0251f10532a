// A step that waits for a person: what is asked, the typed fields, and the two decisions.

import { useRef, useState } from "preact/hooks";
import { elapsed } from "./format";
import { Button, Mark } from "./parts";
import type { Store, Typed } from "./store";
import type { Field, Form } from "./types";
import { check } from "./validate";

export function Approval({ form, store, now }: { form: Form; store: Store; now: number }) {
  const [{ values, comment }, setTyped] = useState(() => store.typed(form));
  const type = (change: Partial<Typed>) => setTyped((before) => store.keepTyped(form, { ...before, ...change }));
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [sent, setSent] = useState(false);
  const shape = useRef<HTMLFormElement>(null);
  const approve = () => {
    const wrong = check(form.fields, values);
    setErrors(wrong);
    if (Object.keys(wrong).length) return;
    decide("approve");
  };
  const decide = (what: string) => {
    setSent(true);
    const node = shape.current?.closest(".nbs")?.querySelector<HTMLElement>(`[data-step="${CSS.escape(form.step)}"]`);
    store
      .ask<null>(what, { step: form.step, values: what === "approve" ? values : {}, comment })
      // The form goes away; who decided with the keyboard goes on at the step, not at the page's beginning.
      .then(() => (document.activeElement === document.body || shape.current?.contains(document.activeElement)) && node?.focus({ preventScroll: true }))
      .catch((error: Error) => {
        setSent(false);
        setErrors({ "": error.message });
      });
  };
  const waited = [`Waiting ${elapsed(now - form.since)}`, form.expires === null ? "" : form.expires > now ? `expires in ${elapsed(form.expires - now)}` : "expired"];
  const inputs = form.inputs.map(([name, text]) => `${name} ${text}`);
  return (
    <form ref={shape} class="appr" data-s="waiting" aria-label={`${form.step} needs approval`} noValidate onSubmit={(event) => (event.preventDefault(), approve())}>
      <div class="who">
        <Mark state="waiting" />
        <div>
          <h4>{form.step} needs approval</h4>
          <p class="asked">{form.message}</p>
          <p>{[...waited, ...inputs].filter(Boolean).join(" · ")}</p>
        </div>
      </div>
      {form.fields.map((field) => (
        <Input key={field.name} field={field} step={form.step} value={values[field.name] ?? ""} error={errors[field.name]} set={(value) => type({ values: { ...values, [field.name]: value } })} />
      ))}
      <label class="f">
        <span>
          Note <em>optional</em>
        </span>
        <input class="fld note-field" value={comment} placeholder="Reason for the run history" onInput={(e) => type({ comment: e.currentTarget.value })} />
      </label>
      <div class="acts">
        <Button icon="close" disabled={sent} onClick={() => decide("reject")}>
          Reject
        </Button>
        <Button icon="check" primary type="submit" disabled={sent}>
          Approve
        </Button>
      </div>
      {errors[""] && <Wrong text={errors[""]} id={`wrong-${form.step}`} />}
    </form>
  );
}

function Input({ field, step, value, error, set }: { field: Field; step: string; value: string; error: string | undefined; set: (value: string) => void }) {
  const id = `wrong-${step}-${field.name}`;
  const common = { class: "fld", "aria-invalid": Boolean(error), "aria-describedby": error ? id : undefined };
  const change = (event: { currentTarget: { value: string } }) => set(event.currentTarget.value);
  const kinds: Record<string, string> = { int: "number", float: "text", date: "date" };
  return (
    <label class="f">
      <span>
        {field.name} <em>{field.type}</em>
      </span>
      {field.type === "choice" ? (
        <select {...common} value={value} onChange={change}>
          {field.default === null && (
            <option value="" disabled hidden>
              Choose
            </option>
          )}
          {field.choices.map((choice) => (
            <option key={choice}>{choice}</option>
          ))}
        </select>
      ) : field.type === "bool" ? (
        <select {...common} value={value.toLowerCase() === "true" ? "true" : "false"} onChange={change}>
          <option value="true">yes</option>
          <option value="false">no</option>
        </select>
      ) : (
        <input {...common} type={kinds[field.type] ?? "text"} inputMode={field.type === "float" ? "decimal" : undefined} value={value} onInput={change} />
      )}
      {error && <Wrong text={error} id={id} />}
    </label>
  );
}

function Wrong({ text, id }: { text: string; id: string }) {
  return (
    <span class="err" data-s="failed" id={id} role="alert">
      <Mark state="failed" small />
      {text}
    </span>
  );
}
