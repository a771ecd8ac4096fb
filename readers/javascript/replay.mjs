// Replays golden cases of the dense and the lazy dialects. Who tries another Adam keeps golden.mjs and replaces the formulas.
import { demand, read, replay, unknown } from './golden.mjs';

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

function summed({ rows, values }, width) { // of each element, its gradients and their squares; none where its row is not named
  const sums = {}, squares = {};
  values.forEach((g, k) => {
    const j = rows ? rows[Math.floor(k / width)] * width + (k % width) : k;
    [sums[j], squares[j]] = [(sums[j] ?? 0) + g, (squares[j] ?? 0) + g * g];
  });
  return { sums, squares };
}
function move(d, h, i, { sums, squares }, state) { // one step of one parameter
  const t = state.t[i], theta = state.parameters[i], m = state.m[i], v = state.v[i], v_max = state.v_max?.[i];
  const bias1 = 1 - h.beta_1 ** t, bias2 = 1 - h.beta_2 ** t;
  const rate = (h.learning_rate * (h.lr_mult[i] ?? 1)) / (1 + h.decay * (t - 1)), l2 = h.l2 * (h.wd_mult[i] ?? 1);
  const decay = h.exclude_from_weight_decay.includes(i) ? 0 : rate * h.weight_decay;
  const epsilon = (h.epsilon || d.defaultEpsilon || 0) * (h.adaptive_epsilon ? Math.sqrt(bias2) : 1);
  const c = h.clip_gradient ?? Infinity, clip = (g, when) => (d.clips === when ? Math.min(Math.max(g, -c), c) : g);
  for (let j = 0; j < theta.length; j++) {
    if (d.lazy && !(j in sums)) continue; // its row is not named
    const x = theta[j] - (d.decays === 'before' ? decay * theta[j] : 0);
    const g = clip(clip(h.rescale_grad * (sums[j] ?? 0), 'before l2') + l2 * x, 'after l2');
    m[j] = h.beta_1 * m[j] + (1 - h.beta_1) * g;
    v[j] = h.beta_2 * v[j] + (1 - h.beta_2) * (d.squaresOfRows ? squares[j] ?? 0 : g * g);
    if (h.amsgrad) v_max[j] = Math.max(v_max[j], d.correctedMaximum ? v[j] / bias2 : v[j]);
    const V = h.amsgrad ? v_max[j] : v[j], corrected = h.amsgrad && d.correctedMaximum ? V : V / bias2;
    const direction = d.paperEpsilon
      ? ((rate / bias1) * m[j]) / (Math.sqrt(corrected + h.epsilon_root) + epsilon)
      : (((rate * Math.sqrt(bias2)) / bias1) * m[j]) / (Math.sqrt(V) + epsilon);
    theta[j] = x - (direction + (d.decays === 'beside' ? decay * x : 0));
  }
}

const adam = (d) => (h, all) => {
  const zeros = () => all.map(({ values }) => values.map(() => 0)), v_max = h.amsgrad ? { v_max: zeros() } : {};
  const state = { parameters: all.map((p) => p.values), m: zeros(), v: zeros(), ...v_max, t: all.map(() => h.begin_num_update) };
  const step = (gradients) => gradients.forEach((g, i) => {
    if (g || d.oneCount) state.t[i] += 1;
    if (g) move(d, h, i, summed(g, all[i].width), state);
  });
  return { step, state };
};

const files = process.argv.slice(2);
let file = 'FILE...', right = 0, bad = 0, left = 0, most = 0;
try {
  if (files[0] === '--help') console.log(HELP), process.exit();
  demand(files.length && !files[0].startsWith('-'), `is ${files[0]}; accepted: golden files, or --help`);
  for (file of files) {
    const { dialect, cases } = read(file);
    for (const data of cases) {
      const reason = Object.hasOwn(DIALECTS, dialect) ? unknown(data) : dialect;
      const { wrong, worst } = reason ? { worst: 0 } : replay(data, adam(DIALECTS[dialect]));
      if (reason) left += 1, console.log(`not replayed: ${data.id}: ${reason}`);
      else if (wrong) bad += 1, console.log(`wrong: ${data.id}, ${wrong}`);
      else right += 1;
      most = Math.max(most, worst);
    }
  }
  console.log(`${right + bad} cases replayed, ${bad} wrong, ${left} not replayed; worst ${most.toFixed(3)} of its tolerance`);
  process.exitCode = bad ? 1 : right ? 0 : 2;
} catch (error) {
  console.error(`error: ${file}: ${error.message}`);
  process.exitCode = 2;
}
