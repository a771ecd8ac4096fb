// Reads and replays golden files by docs/golden-format.md, with whatever Adam it is given. Plain Node, no package.
import { readFileSync } from 'node:fs';

const ABSENT = { // the hyper-parameters that are known here, and what stands for one that a case does not have
  learning_rate: null, beta_1: null, beta_2: null, epsilon: null, adaptive_epsilon: false, epsilon_root: 0, amsgrad: false,
  l2: 0, weight_decay: 0, exclude_from_weight_decay: [], decay: 0, rescale_grad: 1, clip_gradient: null,
  lr_mult: [], wd_mult: [], begin_num_update: 0,
};
const KEYS = /^(id|description|source|flags|hyperparameters|parameters|gradients|between|state_order|expected)$/;
const DOINGS = /^(set|save-and-load|rebuild)$/; // of which set alone changes what a replay computes
const STAY = /^(amsgrad|begin_num_update|exclude_from_weight_decay)$/; // whatever is set

export const demand = (holds, what) => { if (!holds) throw new Error(what); };
const whole = (x, least, most) => Number.isInteger(x) && x >= least && x <= most;
function number(text) { // the mantissa, as a whole number of 53 bits, times a power of two
  const [, sign, one, fraction = '', exponent] = /^(-?)0x([01])(?:\.([0-9a-f]{1,13}))?p([+-]\d{1,4})$/.exec(text) ?? [];
  const x = parseInt(one + fraction.padEnd(13, '0'), 16) * 2 ** (exponent - 52);
  demand(Number.isFinite(x), `${JSON.stringify(text)} is no number; accepted: a hexadecimal float such as "0x1.8p-3"`);
  return sign ? -x : x;
}
function numbers(texts, size, what) {
  demand(Array.isArray(texts) && texts.length === size, `${what} is ${JSON.stringify(texts)}; accepted: ${size} numbers`);
  return texts.map(number);
}
const value = (x) => (Array.isArray(x) ? x.map(value) : x?.hex === undefined ? x : number(x.hex));
const settings = (h = {}) => Object.fromEntries(Object.entries(h).map(([name, x]) => [name, value(x) ?? ABSENT[name]]));

export function read(file) { // its dialect and its cases
  const { format, version, dialect, cases } = JSON.parse(readFileSync(file, 'utf8'));
  const found = `${format}, version ${version}`, accepted = 'adam-conformance golden, version 1';
  demand(found === accepted, `is of ${found}; accepted: ${accepted}`);
  for (const { id, between, gradients: { stored, steps = stored?.length } } of cases) {
    if (between === undefined) continue;
    demand(Array.isArray(between) && whole(between.length, 1, 16), `${id}: between; accepted: 1 to 16 objects`);
    const accepted = `what can be done, after rising from 0 to ${steps - 1}`;
    between.forEach((event, k) => demand(fits(event, between[k - 1]?.after ?? 0, steps - 1),
      `${id}: between has ${JSON.stringify(event)}; accepted: ${accepted}`));
  }
  return { dialect, cases };
}
function fits({ after, do: does, hyperparameters: set }, least, most) { // what is done between steps
  const names = Object.keys(set ?? {}), sets = names.length > 0 && !Array.isArray(set) && !names.some((name) => STAY.test(name));
  const timely = whole(after, least, does === 'rebuild' ? 0 : most);
  return typeof does === 'string' && timely && (does === 'set' ? sets : set === undefined);
}
// In words, what of a case is not known, or acts and is none of the hyper-parameters that the caller's Adam takes
export function unknown({ hyperparameters, gradients, between = [], ...rest }, takes = Object.keys(ABSENT)) {
  const sets = [hyperparameters, ...between.map((event) => event.hyperparameters ?? {})].flatMap((h) => Object.entries(h));
  const acts = ([name, x]) => x !== null && JSON.stringify(value(x)) !== JSON.stringify(ABSENT[name]);
  return [
    ...(gradients.stored || gradients.generator === 'xorshift32' ? [] : [gradients.generator]),
    ...sets.filter(acts).map(([name]) => name).filter((name) => !takes.includes(name)),
    ...between.map((event) => event.do).filter((does) => !DOINGS.test(does)),
    ...Object.keys(rest).filter((key) => !KEYS.test(key)),
  ].map((word) => word || 'no name').join(', ');
}

function* generated({ seed: x, steps, exponents }, all) {
  const fit = whole(x, 1, 2 ** 32 - 1) && whole(steps, 1, 20000) && all.every((p, i) => whole(exponents[i], -149, 127));
  demand(fit, `seed is ${x}, steps ${steps}, exponents ${exponents}; accepted: 1 to 20000 steps, an exponent per parameter`);
  for (let k = 0; k < steps; k++) yield all.map((p, i) => ({ rows: null, values: p.values.map(() => {
    x ^= x << 13; x ^= x >>> 17; x ^= x << 5;
    return ((x >>> 8) - 2 ** 23) * 2 ** (exponents[i] - 23);
  }) }));
}
function gradient(data, { height, width }) {
  if (data === null) return null;
  const { rows, values } = Array.isArray(data) ? { rows: null, values: data } : data, count = rows ? rows.length : height;
  demand(!rows || rows.every((row) => whole(row, 0, height - 1)), `rows ${rows}; accepted: 0 to ${height - 1}`);
  return { rows, values: numbers(values, count * width, 'gradient') };
}
function compare({ step, tolerance, ...expected }, { t, ...state }, found) {
  for (let i = 0; i < t.length; i++) {
    for (const [name, { [i]: got }] of Object.entries(state)) {
      const at = `step ${step}: ${name} of parameter ${i}`, wanted = numbers(expected[name][i], got.length, at);
      const exponents = tolerance[name]?.[i] ?? [], integers = exponents.every((e) => e === null || Number.isInteger(e));
      demand(integers && exponents.length === got.length, `${at}: tolerance; accepted: ${got.length} integers or null`);
      for (let j = 0; j < got.length; j++) {
        const off = Math.abs(got[j] - wanted[j]), limit = exponents[j] === null ? 0 : 2 ** exponents[j];
        if (off <= limit) found.worst = Math.max(found.worst, limit && off / limit);
        else found.wrong ||= `${at}, element ${j}, is ${got[j]}; accepted: ${wanted[j]} +- ${limit}`;
      }
    }
    if (t[i] !== expected.t[i]) found.wrong ||= `step ${step}: t of parameter ${i} is ${t[i]}; accepted: ${expected.t[i]}`;
  }
}
// adam(h, all) is given hyper-parameters, which change as the case says, and per parameter height (rows), width and initial values.
// It returns its state (t, parameters, m, v and perhaps v_max: a list each, by parameter) and its step(gradients), which changes the
// state: by parameter null or { rows, values }, rows being null where the gradient is dense.
export function replay({ id, hyperparameters, parameters, gradients, between = [], expected }, adam) {
  const found = { wrong: '', worst: 0 }; // the first value that is out of its tolerance, and the worst fraction of one
  const h = { ...ABSENT, ...settings(hyperparameters) }, { stored } = gradients;
  const all = parameters.map(({ shape, values }) => {
    const size = shape.reduce((a, b) => a * b, 1), height = shape[0] ?? 1;
    return { height, width: size / height, values: numbers(values, size, 'values') };
  });
  const mine = adam(h, all);
  let made = 0, stated = 0;
  for (const given of stored?.map((each) => all.map((p, i) => gradient(each[i], p))) ?? generated(gradients, all)) {
    for (const { after, hyperparameters: set } of between) if (after === made) Object.assign(h, settings(set));
    mine.step(given);
    if (expected[stated]?.step === ++made) compare(expected[stated++], mine.state, found);
  }
  demand(stated && stated === expected.length, `${id}: steps of expected; accepted: rising, from 1 to ${made}`);
  return found;
}
