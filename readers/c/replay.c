/* Replays golden cases of the dense and the lazy dialects; whoever tries another Adam keeps golden.h. C99 and libm:
   cc -std=c99 -O2 -o replay readers/c/replay.c -lm && ./replay golden/cases/torch-adam/spike.json */
#include "golden.h"

static const char *HELP = "usage: replay FILE...\n"
    "Replays golden files (golden/cases/DIALECT/TOPIC.json) in float64; a case that needs what it does not know is named.\n"
    "exit codes: 0 all is within its tolerance; 1 a value is not; 2 a file or the command line is wrong, or nothing was replayed";
enum { BEFORE_L2 = 1, AFTER_L2, BEFORE, BESIDE };
typedef struct { const char *name; int one_count, lazy, clips, decays, paper_epsilon, squares_of_rows, corrected_maximum;
                 double default_epsilon; } Dialect;
static const Dialect DIALECTS[] = {
    {"keras-v2-adam", .one_count = 1, .default_epsilon = 1e-7},
    {"tf-keras-adam", .one_count = 1, .decays = BEFORE},
    {"keras3-adam", .one_count = 1, .decays = BEFORE, .squares_of_rows = 1},
    {"mxnet2-adam", .clips = BEFORE_L2},
    {"mxnet2-adam-lazy", .clips = BEFORE_L2, .lazy = 1},
    {"mxnet1-adam", .clips = AFTER_L2},
    {"mxnet1-adam-lazy", .clips = AFTER_L2, .lazy = 1},
    {"torch-adam", .paper_epsilon = 1, .decays = BEFORE},
    {"torch-sparse-adam", .lazy = 1},
    {"optax-adam", .one_count = 1, .paper_epsilon = 1, .decays = BESIDE, .corrected_maximum = 1},
}, *d;

static double clip(double g, int when, double limit) { return d->clips == when ? fmin(fmax(g, -limit), limit) : g; }
static void move(int i) { /* one step of one parameter */
    Parameter *p = &all[i];
    double beta_1 = value("beta_1", 0), beta_2 = value("beta_2", 0), epsilon = value("epsilon", 0);
    double bias_1 = 1 - pow(beta_1, p->t), bias_2 = 1 - pow(beta_2, p->t), amsgrad = value("amsgrad", 0);
    double rate = value("learning_rate", 0) * factor("lr_mult", i) / (1 + value("decay", 0) * (p->t - 1));
    double l2 = value("l2", 0) * factor("wd_mult", i), decay = rate * value("weight_decay", 0);
    double rescale = value("rescale_grad", 1), limit = value("clip_gradient", INFINITY), root = value("epsilon_root", 0);
    EACH(excluded, setting("exclude_from_weight_decay")) if (whole(excluded) == i) decay = 0;
    if (epsilon == 0) epsilon = d->default_epsilon;
    if (value("adaptive_epsilon", 0)) epsilon *= sqrt(bias_2);
    for (int j = 0; j < p->size; j++) {
        double *theta = &p->theta[j], *m = &p->m[j], *v = &p->v[j], *v_max = &p->v_max[j];
        if (d->lazy && !p->named[j]) continue;
        if (d->decays == BEFORE) *theta -= decay * *theta;
        double g = clip(clip(rescale * p->g[j], BEFORE_L2, limit) + l2 * *theta, AFTER_L2, limit);
        *m = beta_1 * *m + (1 - beta_1) * g;
        *v = beta_2 * *v + (1 - beta_2) * (d->squares_of_rows ? p->square[j] : g * g);
        *v_max = fmax(*v_max, d->corrected_maximum ? *v / bias_2 : *v);
        double second = amsgrad ? *v_max : *v, corrected = amsgrad && d->corrected_maximum ? second : second / bias_2;
        double direction = d->paper_epsilon ? rate / bias_1 * *m / (sqrt(corrected + root) + epsilon)
                                            : rate * sqrt(bias_2) / bias_1 * *m / (sqrt(second) + epsilon);
        *theta -= direction + (d->decays == BESIDE ? decay * *theta : 0);
    }
}
static void step(void) {
    for (int i = 0; i < count; i++) {
        if (all[i].given || d->one_count) all[i].t++;
        if (all[i].given) move(i);
    }
}

int main(int words, char **word) {
    int right = 0, wrong = 0, left = 0, size = sizeof DIALECTS / sizeof *DIALECTS;
    if (words > 1 && !strcmp(word[1], "--help")) return puts(HELP), 0;
    demand(words > 1 && *word[1] != '-', "is %s; accepted: golden files, or --help", words > 1 ? word[1] : "missing");
    for (int k = 1; k < words; k++) {
        const Node *data = loaded(word[k]);
        for (d = DIALECTS; d < DIALECTS + size && strcmp(d->name, get(data, "dialect", '"')->text); ) d++;
        EACH(one, get(data, "cases", '[')) {
            const char *unread = unknown(one), *reason = d < DIALECTS + size ? unread : "its dialect";
            if (reason) left++, printf("not replayed: %s: %s\n", get(one, "id", '"')->text, reason);
            else if (replay(one, step)) wrong++;
            else right++;
        }
    }
    printf("%d cases replayed, %d wrong, %d not replayed; worst %.3f of its tolerance\n", right + wrong, wrong, left, worst);
    return wrong ? 1 : right ? 0 : 2;
}
