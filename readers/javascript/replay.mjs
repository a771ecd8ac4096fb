// Replays golden cases of the dense and the lazy dialects by docs/golden-format.md alone. Plain Node, no package.
import { readFileSync } from 'node:fs';

const HELP = `usage: node replay.mjs FILE...
Replays golden files (golden/cases/DIALECT/TOPIC.json) in float64; a case that needs what it does not know is named.
exit codes: 0 all is within its tolerance; 1 a value is not; 2 a file or the command line is wrong, or nothing was replayed`;
const DIALECTS = {
  'keras-v2-adam': { oneCount: true, defaultEpsilon: 1e-7 },
  'tf-keras-adam': { oneCount: true, decays: 'before' },
  'keras3-adam': { oneCount: true, decays: 'before', squaresOfRows: true },
  'mxnet2-adam': { clips: 'before l2' },
  'mxnet2-adam-lazy': { clips: 'before l2', lazy: true },
  'mxnet1-adam': { clips: 'after l2' },
  'mxnet1-adam-lazy': { clips: 'after l2', lazy: true },
  'torch-adam': { decays: 'before', paperEpsilon: true },
  'torch-sparse-adam': { lazy: true },
  'optax-adam': { oneCount: true, decays: 'beside', paperEpsilon: true, correctedMaximum: true },
};
const ABSENT = { // the hyper-parameters that this reader knows, and what stands for one that a case does not have
  learning_rate: null, beta_1: null, beta_2: null, epsilon: null, adaptive_epsilon: false, epsilon_root: 0, amsgrad: false,
  l2: 0, weight_decay: 0, exclude_from_weight_decay: [], decay: 0, rescale_grad: 1, clip_gradient: null, lr_mult: [], wd_mult: [],
  begin_num_update: 0,
};
const KEYS = /^(id|description|source|flags|hyperparameters|parameters|gradients|between|state_order|expected)$/;
const DOINGS = /^(set|save-and-load|rebuild)$/; // of which set alone changes what a replay computes
const STAY = /^(amsgrad|begin_num_update|exclude_from_weight_decay)$/; // whatever is set

function move(d, h, p, { sums, squares }) { // one step of one parameter
  const bias1 = 1 - h.beta_1 ** p.t, bias2 = 1 - h.beta_2 ** p.t;
  const rate = (h.learning_rate * (h.lr_mult[p.index] ?? 1)) / (1 + h.decay * (p.t - 1));
  const l2 = h.l2 * (h.wd_mult[p.index] ?? 1), decay = h.exclude_from_weight_decay.includes(p.index) ? 0 : rate * h.weight_decay;
  const epsilon = (h.epsilon || d.defaultEpsilon || 0) * (h.adaptive_epsilon ? Math.sqrt(bias2) : 1);
  const limit = h.clip_gradient ?? Infinity, clip = (g, when) => (d.clips === when ? Math.min(Math.max(g, -limit), limit) : g);
  for (let j = 0; j < p.parameters.length; j++) {
    if (d.lazy && !(j in sums)) continue; // its row is not named
    const x = p.parameters[j] - (d.decays === 'before' ? decay * p.parameters[j] : 0);
    const g = clip(clip(h.rescale_grad * (sums[j] ?? 0), 'before l2') + l2 * x, 'after l2');
    p.m[j] = h.beta_1 * p.m[j] + (1 - h.beta_1) * g;
    p.v[j] = h.beta_2 * p.v[j] + (1 - h.beta_2) * (d.squaresOfRows ? squares[j] ?? 0 : g * g);
    if (h.amsgrad) p.v_max[j] = Math.max(p.v_max[j], d.correctedMaximum ? p.v[j] / bias2 : p.v[j]);
    const v = h.amsgrad ? p.v_max[j] : p.v[j], corrected = h.amsgrad && d.correctedMaximum ? v : v / bias2;
    const direction = d.paperEpsilon
      ? ((rate / bias1) * p.m[j]) / (Math.sqrt(corrected + h.epsilon_root) + epsilon)
      : (((rate * Math.sqrt(bias2)) / bias1) * p.m[j]) / (Math.sqrt(v) + epsilon);
    p.parameters[j] = x - (direction + (d.decays === 'beside' ? decay * x : 0));
  }
}

// Reading
const demand = (holds, what) => { if (!holds) throw new Error(what); };
function number(text) {
  const found = /^(-?)0x([01])(?:\.([0-9a-f]{1,13}))?p([+-]\d{1,4})$/.exec(text);
  demand(found, `${JSON.stringify(text)} is no number; accepted: a hexadecimal float such as "0x1.8p-3"`);
  const [, sign, one, fraction = '', exponent] = found; // the mantissa as a whole number of 53 bits
  return (sign ? -1 : 1) * parseInt(one + fraction.padEnd(13, '0'), 16) * 2 ** (exponent - 52);
}
function numbers(texts, size, what) {
  demand(Array.isArray(texts) && texts.length === size, `${what} is ${JSON.stringify(texts)}; accepted: ${size} numbers`);
  return texts.map(number);
}
const value = (x) => (Array.isArray(x) ? x.map(value) : x?.hex === undefined ? x : number(x.hex));
function* generated({ seed: x, steps, exponents }, all) {
  demand(steps >= 1 && steps <= 20000, `steps is ${steps}; accepted: 1 to 20000`);
  for (let k = 0; k < steps; k++) yield all.map((p, i) => Float64Array.from(p.parameters, () => {
    x ^= x << 13; x ^= x >>> 17; x ^= x << 5;
    return ((x >>> 8) - 2 ** 23) * 2 ** (exponents[i] - 23);
  }));
}
function gradient(data, p) { // sums, and sums of squares, of what each element is given; none where its row is not named
  const rows = data.rows ?? [...Array(p.height).keys()], given = data.rows ? data.values : data, sums = {}, squares = {};
  demand(rows.every((row) => Number.isInteger(row) && row >= 0 && row < p.height), `rows ${rows}; accepted: 0 to ${p.height - 1}`);
  (given instanceof Float64Array ? given : numbers(given, rows.length * p.width, 'gradient')).forEach((g, k) => {
    const j = rows[Math.floor(k / p.width)] * p.width + (k % p.width);
    [sums[j], squares[j]] = [(sums[j] ?? 0) + g, (squares[j] ?? 0) + g * g];
  });
  return { sums, squares };
}
function unknown(dialect, { hyperparameters: h, gradients, between = [], ...rest }) { // what of a case it does not know
  if (!Object.hasOwn(DIALECTS, dialect)) return dialect;
  if (!gradients.stored && gradients.generator !== 'xorshift32') return gradients.generator;
  const given = [h, ...between.map((event) => event.hyperparameters ?? {})].flatMap(Object.entries);
  const names = given.filter(([name, x]) => x !== null && !Object.hasOwn(ABSENT, name)).map(([name]) => name);
  const doings = between.map((event) => event.do).filter((does) => !DOINGS.test(does));
  return [...names, ...doings, ...Object.keys(rest).filter((key) => !KEYS.test(key))].map((word) => word || 'no name').join(', ');
}
const isObject = (x) => typeof x === 'object' && x !== null && !Array.isArray(x);
function checked({ id, between, gradients: { stored, steps = stored?.length } }) { // what is done between steps
  if (between === undefined) return;
  demand(Array.isArray(between) && between.length >= 1 && between.length <= 16, `${id}: between; accepted: 1 to 16 objects`);
  between.reduce((last, event) => {
    const { after, do: does, hyperparameters: given } = isObject(event) ? event : {}, set = Object.keys(isObject(given) ? given : {});
    demand(Number.isInteger(after) && after >= last && after < steps, `${id}: after is ${after}; accepted: rising, from 0 to ${steps - 1}`);
    demand(typeof does === 'string' && (does !== 'rebuild' || after === 0), `${id}: do is ${does} after ${after}; accepted: one of the page`);
    demand(does === 'set' ? set.length : given === undefined, `${id}: hyperparameters of ${does}; accepted: an object of set, no other`);
    demand(!set.some((name) => STAY.test(name)), `${id}: sets ${set}; accepted: what is no part of the state`);
    return after;
  }, 0);
}
const settings = (data) => Object.fromEntries(value(Object.entries(data)));

// Replaying: the first thing that is wrong, in words
function replay(d, data, report) {
  const h = { ...ABSENT, ...settings(data.hyperparameters) };
  const all = data.parameters.map(({ shape, values }, index) => {
    const size = shape.reduce((a, b) => a * b, 1), height = shape[0] ?? 1, parameters = numbers(values, size, 'values');
    const [m, v, v_max] = [0, 0, 0].map((zero) => Array(size).fill(zero));
    return { index, height, width: size / height, parameters, m, v, v_max, t: h.begin_num_update };
  });
  const names = ['parameters', 'm', 'v', ...(h.amsgrad ? ['v_max'] : [])];
  let step = 0, stated = 0, wrong = '';
  for (const gradients of data.gradients.stored ?? generated(data.gradients, all)) {
    for (const { after, hyperparameters } of data.between ?? []) if (after === step) Object.assign(h, settings(hyperparameters ?? {}));
    for (const p of all) {
      const given = gradients[p.index];
      if (given !== null || d.oneCount) p.t += 1;
      if (given !== null) move(d, h, p, gradient(given, p));
    }
    if (data.expected[stated]?.step !== ++step) continue;
    const found = compare(names, data.expected[stated++], all, report);
    wrong ||= found;
  }
  demand(stated && stated === data.expected.length, `${data.id}: steps of expected; accepted: rising, from 1 to ${step}`);
  return wrong && `${data.id}, ${wrong}`;
}
function compare(names, { step, t, tolerance, ...expected }, all, report) {
  for (const p of all) for (const name of names) {
    const at = `step ${step}: ${name} of parameter ${p.index}`, exponents = tolerance[name][p.index];
    const wanted = numbers(expected[name][p.index], p[name].length, at);
    const whole = exponents.every((e) => e === null || Number.isInteger(e));
    demand(whole && exponents.length === wanted.length, `${at}: tolerance; accepted: ${wanted.length} integers or null`);
    for (let j = 0; j < wanted.length; j++) {
      const off = Math.abs(p[name][j] - wanted[j]), limit = exponents[j] === null ? 0 : 2 ** exponents[j];
      if (!(off <= limit)) return `${at}, element ${j}, is ${p[name][j]}; accepted: ${wanted[j]} +- ${limit}`;
      report.worst = Math.max(report.worst, limit && off / limit);
    }
    if (t[p.index] !== p.t) return `step ${step}: t of parameter ${p.index} is ${p.t}; accepted: ${t[p.index]}`;
  }
  return '';
}
function judge(file, report) {
  const { format, version, dialect, cases } = JSON.parse(readFileSync(file, 'utf8'));
  const accepted = 'adam-conformance golden, version 1';
  demand(`${format}, version ${version}` === accepted, `is of ${format}, version ${version}; accepted: ${accepted}`);
  for (const data of cases) {
    checked(data);
    const reason = unknown(dialect, data), wrong = reason ? '' : replay(DIALECTS[dialect], data, report);
    report[reason ? 'left' : wrong ? 'wrong' : 'right'] += 1;
    if (reason || wrong) console.log(reason ? `not replayed: ${data.id}: ${reason}` : `wrong: ${wrong}`);
  }
}
const files = process.argv.slice(2), report = { right: 0, wrong: 0, left: 0, worst: 0 };
let file = 'FILE...';
try {
  if (files[0] === '--help') console.log(HELP), process.exit();
  demand(files.length && !files[0].startsWith('-'), `is ${files[0]}; accepted: golden files, or --help`);
  for (file of files) judge(file, report);
  const { right, wrong, left, worst } = report;
  console.log(`${right + wrong} cases replayed, ${wrong} wrong, ${left} not replayed; worst ${worst.toFixed(3)} of its tolerance`);
  process.exitCode = wrong ? 1 : right ? 0 : 2;
} catch (error) {
  console.error(`error: ${file}: ${error.message}`);
  process.exitCode = 2;
}
