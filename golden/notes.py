"""What a file says of itself: the conventions of the format, and of every flag what it catches, by which effect."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CONVENTIONS = (
    "Numbers are C99 hexadecimal floats; keys that end in decimal repeat them for people, rounded to nine digits.",
    "Hyper-parameters, initial parameters and gradients are values that float32 holds exactly, so that no"
    " implementation changes them by rounding them on their way in.",
    "Arrays are flat, in row-major order; the shape stands beside the initial value. A gradient null is an absent one;"
    " rows and values are a row-sparse one, values[k] belonging to row rows[k].",
    "Steps count from 1. Expected is the state after the step: the trajectory at 50 digits, rounded once to float64."
    " t is the number of steps that the bias correction of each parameter has seen.",
    "Tolerance is e where a replay in float64 must be within 2^e of the value, and null where it must be equal."
    " docs/golden-format.md is the whole format.",
)
SLOW = ("slow holds the slow weights of Lookahead, which begin at the initial parameters.",)
AVERAGE = ("average holds the moving average of the parameters.",)
XORSHIFT = (
    "Gradients of generator xorshift32: x = seed; for every step, parameter and element: x ^= x << 13, x ^= x >> 17,"
    " x ^= x << 5, all modulo 2^32; the element is ((x >> 8) - 2^23) * 2^(exponent - 23), exponents being one per"
    " parameter.",
)

NOTES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "bias-correction": {
            "bug": "formula",
            "catches": "bias correction missing, of the wrong step, or formed in float32",
            "effect": "without it the first updates are x 3.16, 4.25 and 6.53 at t = 1, 2 and 10 (betas 0.9, 0.999)",
        },
        "momentum": {
            "bug": "formula",
            "catches": "sign-SGD, Nesterov's momentum, no momentum, beta_1 ignored",
            "effect": "a gradient that changes its sign moves the parameter by its average, not by itself",
        },
        "epsilon": {
            "bug": "formula",
            "catches": "epsilon hat where paper epsilon is meant and the reverse, epsilon inside the root, subtracted,"
            " or absent",
            "effect": "invisible while epsilon is far below the gradient; here it is up to 2^17 times as large",
        },
        "adaptive-epsilon": {
            "bug": "formula",
            "catches": "epsilon not scaled by sqrt(1 - beta_2^t), or in the dense branch only (tf_keras, late 2023)",
            "effect": "the first update is smaller by up to 1 / sqrt(1 - beta_2)",
        },
        "epsilon-root": {
            "bug": "formula",
            "catches": "epsilon_root ignored, added outside the root, or to v before its bias is corrected",
            "effect": "the denominator is at least sqrt(epsilon_root)",
        },
        "momentum-schedule": {
            "bug": "formula",
            "catches": "mu_(t+1) where mu_t belongs and the reverse, a factor of the product twice, psi ignored",
            "effect": "the gradient's and the average's share of the step are those of another step",
        },
        "amsgrad": {
            "bug": "formula",
            "catches": "the maximum ignored, or computed and not stored (torch's foreach Adam before 1.13)",
            "effect": "after a spike, updates with v are larger than those with v_max, and v_max in the state is wrong",
        },
        "zero-gradient": {
            "bug": "special values",
            "catches": "0 / 0 where m = v = 0: epsilon dropped, or lost to underflow",
            "effect": "NaN in the first step, or a parameter that moves although no gradient asked for it",
        },
        "step-count": {
            "bug": "step count",
            "catches": "t per parameter where the dialect has one, one for all where each has its own, or off by one",
            "effect": "the bias correction of another step",
        },
        "absent-gradient": {
            "bug": "step count",
            "catches": "an absent gradient taken for zero, or counted otherwise than the dialect does",
            "effect": "moments decay that must stay; t of the parameter differs",
        },
        "tail": {
            "bug": "kernel",
            "catches": "elements behind, or before, the last full vector treated otherwise (DeepSpeed, torch's SGD)",
            "effect": "wrong in some elements of the parameter of eleven",
        },
        "rows": {
            "bug": "sparse",
            "catches": "rows that are not named: whether they decay, move, or stay as they are, as the dialect says",
            "effect": "m, v or the parameter differ in rows that one step names and the next does not",
        },
        "duplicate-rows": {
            "bug": "sparse",
            "catches": "values of a row that is named twice squared one by one, lost, or applied one after the other"
            " (Caffe2)",
            "effect": "v is that of a sum of squares, or m has decayed twice",
        },
        "l2": {
            "bug": "decay",
            "catches": "coupled decay applied beside the step, multiplied by the gradient, or left out",
            "effect": "m differs after one step",
        },
        "clip-order": {
            "bug": "decay",
            "catches": "clip(rescale g + l2 theta) against clip(rescale g) + l2 theta: MXNet 1 and 2",
            "effect": "with theta 10, g 1, l2 1 and clip 0.5 the gradient is 0.5 in the one and 10.5 in the other",
        },
        "clipvalue": {
            "bug": "formula",
            "catches": "clipping after duplicate rows are summed, of m, or by a value that the dialect takes for none",
            "effect": "m and v are of another gradient",
        },
        "clipnorm": {
            "bug": "formula",
            "catches": "a norm of all where one of each is meant and the reverse, one of summed duplicates, one of an"
            " absent gradient, one that scales what is shorter; the wrong order of value and norm",
            "effect": "m and v are of another gradient, often of all elements",
        },
        "schedule": {
            "bug": "formula",
            "catches": "a schedule asked one step ahead, frozen, without its stairs, cycles, restarts, power or end",
            "effect": "the learning rate, and what weight decay takes, are those of another step",
        },
        "warm-up": {
            "bug": "formula",
            "catches": "warm-up that counts from 0, ignores min_lr, goes on below it, or is decayed afterwards",
            "effect": "the first learning rate is not learning_rate / w, or the last one not min_lr",
        },
        "lr-scheduler": {
            "bug": "step count",
            "catches": "a scheduler asked for the parameter's own count, for that of the whole step, or for one update"
            " more or less; a boundary, an end, a warm-up or a last rate ignored",
            "effect": "the learning rate is that of another update",
        },
        "rate-decay": {
            "bug": "step count",
            "catches": "a decay that counts from 1, that counts epochs, or that is not there",
            "effect": "the learning rate is that of another step: half as large in step 1 if it counts from 1, decay 1",
        },
        "multipliers": {
            "bug": "formula",
            "catches": "multipliers ignored, exchanged, applied twice, or handed to those that have a gradient",
            "effect": "a parameter moves by another's share of the learning rate, or decays by another's share of l2",
        },
        "begin": {
            "bug": "step count",
            "catches": "a count that begins at 0 whatever is asked, off by one, or at that of the others",
            "effect": "the bias correction of another step: the first updates are too large",
        },
        "decoupled-decay": {
            "bug": "decay",
            "catches": "decay after the step (transformers), not times the learning rate (TF-Addons' AdamW), or in m",
            "effect": "the parameter differs by learning rate x decay x what is wrong",
        },
        "rectification": {
            "bug": "formula",
            "catches": "a threshold off by one, rectification missing, epsilon missing in the rectified branch",
            "effect": "one step of the wrong branch, or wrong updates from the threshold on",
        },
        "slow-weights": {
            "bug": "averages",
            "catches": "slow weights that begin at 0 or one step late, are not stored, or are not what theta becomes;"
            " steps that synchronise off by one; slow_step_size where 1 - slow_step_size belongs",
            "effect": "theta keeps what every sync_period-th step must take back",
        },
        "ema": {
            "bug": "averages",
            "catches": "an average that begins at 0 or one step late, that is of the parameters before the step or"
            " behind a constraint, or that a parameter without gradient gets and must not, or must and does not",
            "effect": "the average differs for ever; the parameters from the step on in which it is written over them",
        },
        "exclude": {
            "bug": "decay",
            "catches": "decay of a parameter that is excluded from it, and none of one that is not",
            "effect": "the parameter differs by learning rate x decay x itself in every step",
        },
        "constraint": {
            "bug": "formula",
            "catches": "a constraint before the step or before the average, of a parameter without gradient, by the"
            " norm of all elements, or of what is short already",
            "effect": "the parameter is another one at the end of the step",
        },
        "settings": {
            "bug": "formula",
            "catches": "a learning rate 0 taken for none, or one above 1 cut; betas of a few digits; a fixed threshold",
            "effect": "another learning rate, beta or branch than the one that was asked for",
        },
        "narrow-count": {
            "bug": "dtype",
            "catches": "a step count, or a power of beta, in the format of the parameters:"
            " bfloat16 counts to 2^8, float16 to 2^11",
            "effect": "t stays where it is, and with it the bias correction",
        },
        "master": {
            "bug": "dtype",
            "catches": "no float32 copy of parameters of 16 bits, or one that is made again from them after a load;"
            " gradients scaled, or moments kept, in 16 bits",
            "effect": "updates below the last digit are lost, and parameters stay where they are",
        },
        "decades": {
            "bug": "formula",
            "catches": "an epsilon, a clip or a scale of the parameter as a whole",
            "effect": "the smallest gradients of the parameter do not move it, or the largest ones move it too far",
        },
        "changed": {
            "bug": "averages",
            "catches": "a hyper-parameter that is read once, kept beside the step, or taken over a step late;"
            " powers of a beta that was another one; state that is lost with a change",
            "effect": "the steps behind a change are those of the hyper-parameters before it",
        },
        "saved": {
            "bug": "averages",
            "catches": "state that is not saved, or not loaded: t, m, v, v_max, slow weights, an average;"
            " hyper-parameters that a load should bring back and does not",
            "effect": "the first step behind the load is that of a new optimizer, or of another one",
        },
        "state-order": {
            "bug": "averages",
            "catches": "state in another order than the framework lists it: moments interleaved by parameter or not,"
            " the maximum before or behind, the count not first",
            "effect": "weights that were saved there and are loaded here go into the wrong places",
        },
        "configuration": {
            "bug": "formula",
            "catches": "an argument that the configuration has not, or that is rounded or renamed in it",
            "effect": "the rebuilt optimizer has the default in its place",
        },
        "long-run": {
            "bug": "dtype",
            "catches": "counts that stick at 256 (bfloat16), powers of beta that drift as a running product,"
            " errors that accumulate",
            "effect": "from step 257 on the bias correction is that of step 256",
        },
    }
)
