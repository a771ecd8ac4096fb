/* Replays golden cases of the dense and the lazy dialects by docs/golden-format.md alone. C99 and libm:
   cc -std=c99 -O2 -o replay readers/c/replay.c -lm && ./replay golden/cases/torch-adam/spike.json */
#include <stdint.h>
#include "json.h"

static const char *HELP = "usage: replay FILE...\n"
    "Replays golden files (golden/cases/DIALECT/TOPIC.json) in float64; a case that needs what it does not know is named.\n"
    "exit codes: 0 all is within its tolerance; 1 a value is not; 2 a file or the command line is wrong, or nothing was replayed";
enum { MAX_BYTES = 1 << 20, MAX_PARAMETERS = 64, MAX_ELEMENTS = 4096, MAX_STEPS = 20000 };
static const Node *settings[18]; /* the hyper-parameters of a case, and those that have been set since */
static int layers;
static const Node *setting(const char *name) { /* the latest; NULL where it is null, or not there */
    for (int k = layers - 1; k >= 0; k--) for (const Node *each = settings[k]->first; each; each = each->next)
        if (!strcmp(each->key, name)) return each->kind == 'n' ? NULL : each;
    return NULL;
}
static int listed(const char *words, const char *word) { /* one of them, spaces around each */
    size_t size = strlen(word);
    for (const char *at = words; size && !strchr(word, ' ') && (at = strstr(at, word)); at++)
        if (at > words && at[-1] == ' ' && at[size] == ' ') return 1;
    return 0;
}
static double value(const char *name, double absent) {
    const Node *n = setting(name);
    return !n ? absent : n->kind == '{' ? number(get(n, "hex", '"')) : n->kind == '0' ? (double)n->integer : n->kind == 't';
}
static double of(const char *name, int i) { /* a multiplier */
    const Node *n = setting(name);
    return n && n->size ? number(get(item(n, i), "hex", '"')) : 1;
}

/* Dialects */
enum { ONE_COUNT = 1, LAZY = 2, PAPER = 4, CLIPS_BEFORE_L2 = 8, CLIPS_AFTER_L2 = 16, DECAYS_BEFORE = 32, DECAYS_BESIDE = 64,
       SQUARES_OF_ROWS = 128, CORRECTED_MAXIMUM = 256, DEFAULT_EPSILON = 512 };
static const struct { const char *name; int does; } DIALECTS[] = {
    {"keras-v2-adam", ONE_COUNT | DEFAULT_EPSILON},
    {"tf-keras-adam", ONE_COUNT | DECAYS_BEFORE},
    {"keras3-adam", ONE_COUNT | DECAYS_BEFORE | SQUARES_OF_ROWS},
    {"mxnet2-adam", CLIPS_BEFORE_L2},
    {"mxnet2-adam-lazy", CLIPS_BEFORE_L2 | LAZY},
    {"mxnet1-adam", CLIPS_AFTER_L2},
    {"mxnet1-adam-lazy", CLIPS_AFTER_L2 | LAZY},
    {"torch-adam", PAPER | DECAYS_BEFORE},
    {"torch-sparse-adam", LAZY},
    {"optax-adam", ONE_COUNT | PAPER | DECAYS_BESIDE | CORRECTED_MAXIMUM},
};
static const char *HYPERPARAMETERS = " learning_rate beta_1 beta_2 epsilon adaptive_epsilon epsilon_root amsgrad l2 weight_decay"
    " exclude_from_weight_decay decay rescale_grad clip_gradient lr_mult wd_mult begin_num_update ";
static const char *KEYS = " id description source flags hyperparameters parameters gradients between state_order expected ";

typedef struct { int height, width, size; long t; double quantity[4][MAX_ELEMENTS], g[MAX_ELEMENTS], square[MAX_ELEMENTS];
                 char named[MAX_ELEMENTS]; } Parameter;
static const char *QUANTITIES[] = {"parameters", "m", "v", "v_max"};
static Parameter all[MAX_PARAMETERS];
static double scratch[MAX_ELEMENTS * 4];
static int right, wrong, left;
static double worst;

static void move(int does, int i) { /* one step of one parameter */
    Parameter *p = &all[i];
    double beta_1 = value("beta_1", 0), beta_2 = value("beta_2", 0), epsilon = value("epsilon", 0);
    double bias_1 = 1 - pow(beta_1, p->t), bias_2 = 1 - pow(beta_2, p->t), amsgrad = value("amsgrad", 0);
    double rate = value("learning_rate", 0) * of("lr_mult", i) / (1 + value("decay", 0) * (p->t - 1));
    double l2 = value("l2", 0) * of("wd_mult", i), decay = rate * value("weight_decay", 0);
    double rescale = value("rescale_grad", 1), limit = value("clip_gradient", INFINITY), root = value("epsilon_root", 0);
    const Node *excluded = setting("exclude_from_weight_decay");
    for (int k = 0; excluded && k < excluded->size; k++) if (whole(item(excluded, k)) == i) decay = 0;
    if (does & DEFAULT_EPSILON && epsilon == 0) epsilon = 1e-7;
    if (value("adaptive_epsilon", 0)) epsilon *= sqrt(bias_2);
    for (int j = 0; j < p->size; j++) {
        double *theta = &p->quantity[0][j], *m = &p->quantity[1][j], *v = &p->quantity[2][j], *v_max = &p->quantity[3][j];
        if (does & LAZY && !p->named[j]) continue;
        if (does & DECAYS_BEFORE) *theta -= decay * *theta;
        double g = rescale * p->g[j];
        if (does & CLIPS_BEFORE_L2) g = fmin(fmax(g, -limit), limit);
        g += l2 * *theta;
        if (does & CLIPS_AFTER_L2) g = fmin(fmax(g, -limit), limit);
        *m = beta_1 * *m + (1 - beta_1) * g;
        *v = beta_2 * *v + (1 - beta_2) * (does & SQUARES_OF_ROWS ? p->square[j] : g * g);
        double second = *v, corrected = *v / bias_2;
        if (amsgrad) {
            second = *v_max = fmax(*v_max, does & CORRECTED_MAXIMUM ? corrected : *v);
            corrected = does & CORRECTED_MAXIMUM ? second : second / bias_2;
        }
        double direction = does & PAPER ? rate / bias_1 * *m / (sqrt(corrected + root) + epsilon)
                                        : rate * sqrt(bias_2) / bias_1 * *m / (sqrt(second) + epsilon);
        *theta -= direction + (does & DECAYS_BESIDE ? decay * *theta : 0);
    }
}
static void gradient(const Node *data, Parameter *p) { /* sums, and sums of squares, of what each element is given */
    const Node *rows = find(data, "rows");
    int count = rows ? rows->size : p->height;
    demand(count * p->width <= (int)(sizeof scratch / sizeof *scratch), "has a gradient of %d rows", count);
    numbers(rows ? get(data, "values", '[') : data, count * p->width, scratch);
    memset(p->g, 0, sizeof p->g), memset(p->square, 0, sizeof p->square), memset(p->named, 0, sizeof p->named);
    for (int k = 0; k < count * p->width; k++) {
        long row = rows ? whole(item(rows, k / p->width)) : k / p->width, j = row * p->width + k % p->width;
        demand(row >= 0 && row < p->height, "names row %ld; accepted: 0 to %d", row, p->height - 1);
        p->g[j] += scratch[k], p->square[j] += scratch[k] * scratch[k], p->named[j] = 1;
    }
}
static void generated(uint32_t *x, long exponent, Parameter *p) {
    for (int j = 0; j < p->size; j++) {
        *x ^= *x << 13, *x ^= *x >> 17, *x ^= *x << 5;
        p->g[j] = ldexp((double)(*x >> 8) - 8388608, (int)exponent - 23), p->square[j] = p->g[j] * p->g[j], p->named[j] = 1;
    }
}
static int compared(const char *id, const Node *expected, int count, int quantities) { /* 1 where it says what is wrong */
    long step = whole(get(expected, "step", '0'));
    for (int i = 0; i < count; i++) for (int q = 0; q < quantities; q++) {
        const Node *exponent = item(get(get(expected, "tolerance", '{'), QUANTITIES[q], '['), i);
        demand(exponent->size == all[i].size, "%s: tolerance has a list of %d; accepted: %d", id, exponent->size, all[i].size);
        numbers(item(get(expected, QUANTITIES[q], '['), i), all[i].size, scratch);
        exponent = exponent->first;
        for (int j = 0; j < all[i].size; j++, exponent = exponent->next) {
            double got = all[i].quantity[q][j], off = fabs(got - scratch[j]);
            double limit = exponent->kind == 'n' ? 0 : ldexp(1, (int)whole(exponent));
            if (limit > 0 && off <= limit) worst = fmax(worst, off / limit);
            if (!(off <= limit)) return printf("wrong: %s, step %ld: %s of parameter %d, element %d, is %.17g; accepted: %.17g"
                " +- %.3g\n", id, step, QUANTITIES[q], i, j, got, scratch[j], limit), 1;
        }
        long t = whole(item(get(expected, "t", '['), i));
        if (t != all[i].t) return printf("wrong: %s, step %ld: t of parameter %d is %ld; accepted: %ld\n", id, step, i, all[i].t, t), 1;
    }
    return 0;
}
static const char *unknown(const Node *data, int does) { /* what of a case this reader does not know */
    const Node *h = get(data, "hyperparameters", '{'), *generator = find(get(data, "gradients", '{'), "generator");
    const Node *between = find(data, "between");
    if (does < 0) return "its dialect";
    if (generator && (!generator->text || strcmp(generator->text, "xorshift32"))) return "its generator";
    for (const Node *each = data->first; each; each = each->next) if (each->kind != 'n' && !listed(KEYS, each->key)) return each->key;
    for (const Node *each = h->first; each; each = each->next)
        if (each->kind != 'n' && !listed(HYPERPARAMETERS, each->key)) return each->key;
    for (const Node *event = between ? between->first : NULL; event; event = event->next) { /* set alone changes a replay */
        const Node *set = find(event, "hyperparameters");
        if (!listed(" set save-and-load rebuild ", get(event, "do", '"')->text)) return get(event, "do", '"')->text;
        for (const Node *each = set ? set->first : NULL; each; each = each->next)
            if (each->kind != 'n' && !listed(HYPERPARAMETERS, each->key)) return each->key;
    }
    return NULL;
}
static void checked(const Node *data) { /* what is done between steps */
    const Node *between = find(data, "between"), *gradients = get(data, "gradients", '{'), *stored = find(gradients, "stored");
    const char *id = get(data, "id", '"')->text;
    long steps = stored ? stored->size : get(gradients, "steps", '0')->integer, last = 0;
    demand(!between || (between->kind == '[' && between->size >= 1 && between->size <= 16), "%s: between; accepted: 1 to 16 objects", id);
    for (const Node *event = between ? between->first : NULL; event; event = event->next) {
        demand(event->kind == '{', "%s: between has no object; accepted: objects", id);
        const Node *set = find(event, "hyperparameters");
        const char *what = get(event, "do", '"')->text;
        long after = whole(get(event, "after", '0'));
        demand(after >= last && after < steps, "%s: after is %ld; accepted: rising, from 0 to %ld", id, after, steps - 1);
        demand(strcmp(what, "rebuild") || !after, "%s: rebuild is after %ld; accepted: after 0", id, after);
        demand(strcmp(what, "set") ? !set : set && set->kind == '{' && set->size, "%s: hyperparameters; accepted: an object of set", id);
        for (const Node *each = set ? set->first : NULL; each; each = each->next)
            demand(!listed(" amsgrad begin_num_update exclude_from_weight_decay ", each->key), "%s: sets %s", id, each->key);
        last = after;
    }
}
static void replay(const Node *data, int does) {
    checked(data);
    const char *id = get(data, "id", '"')->text, *reason = unknown(data, does);
    if (reason) { left++, printf("not replayed: %s: %s\n", id, reason); return; }
    const Node *between = find(data, "between"), *event = between ? between->first : NULL, *parameters = get(data, "parameters", '[');
    const Node *gradients = get(data, "gradients", '{'), *stored = find(gradients, "stored"), *expected = get(data, "expected", '[');
    long steps = stored ? stored->size : get(gradients, "steps", '0')->integer, stated = 0;
    settings[0] = get(data, "hyperparameters", '{'), layers = 1;
    uint32_t x = stored ? 1 : (uint32_t)get(gradients, "seed", '0')->integer;
    demand(parameters->size <= MAX_PARAMETERS && steps <= MAX_STEPS, "%s: has %d parameters, %ld steps", id, parameters->size, steps);
    for (int i = 0; i < parameters->size; i++) {
        Parameter *p = &all[i];
        const Node *shape = get(item(parameters, i), "shape", '[');
        memset(p, 0, sizeof *p);
        p->size = 1, p->height = shape->size ? (int)whole(item(shape, 0)) : 1, p->t = (long)value("begin_num_update", 0);
        for (const Node *each = shape->first; each; each = each->next) {
            demand(whole(each) >= 1 && each->integer <= MAX_ELEMENTS / p->size, "%s: a shape is too large, or empty", id);
            p->size *= (int)each->integer;
        }
        p->width = p->size / p->height;
        numbers(get(item(parameters, i), "values", '['), p->size, p->quantity[0]);
    }
    int bad = 0;
    for (long k = 1; k <= steps; k++) {
        for (; event && whole(get(event, "after", '0')) == k - 1; event = event->next)
            if (find(event, "hyperparameters")) settings[layers++] = find(event, "hyperparameters");
        for (int i = 0; i < parameters->size; i++) {
            const Node *given = stored ? item(item(stored, (int)k - 1), i) : NULL;
            if (given && given->kind == 'n' && !(does & ONE_COUNT)) continue;
            all[i].t++;
            if (given && given->kind == 'n') continue;
            if (given) gradient(given, &all[i]);
            else generated(&x, whole(item(get(gradients, "exponents", '['), i)), &all[i]);
            move(does, i);
        }
        if (stated == expected->size || get(item(expected, (int)stated), "step", '0')->integer != k) continue;
        const Node *now = item(expected, (int)stated++);
        bad = bad || compared(id, now, parameters->size, value("amsgrad", 0) ? 4 : 3);
    }
    demand(stated && stated == expected->size, "%s: steps of expected; accepted: rising, from 1 to %ld", id, steps);
    bad ? wrong++ : right++;
}
static void judge(void) {
    static char content[MAX_BYTES + 2];
    FILE *stream = fopen(file, "rb");
    demand(stream != NULL, "cannot be read");
    size_t size = fread(content, 1, MAX_BYTES + 1, stream);
    fclose(stream);
    demand(size <= MAX_BYTES, "is larger than %d bytes", MAX_BYTES);
    content[size] = 0, at = content, used = 0;
    Node *data = parsed(0);
    demand(data->kind == '{' && !next(), "is no object of JSON");
    long version = get(data, "version", '0')->integer;
    demand(!strcmp(get(data, "format", '"')->text, "adam-conformance golden") && version == 1,
           "is of %s, version %ld; accepted: adam-conformance golden, 1", get(data, "format", '"')->text, version);
    const char *dialect = get(data, "dialect", '"')->text;
    int does = -1;
    for (size_t k = 0; k < sizeof DIALECTS / sizeof *DIALECTS; k++) if (!strcmp(dialect, DIALECTS[k].name)) does = DIALECTS[k].does;
    for (const Node *each = get(data, "cases", '[')->first; each; each = each->next) replay(each, does);
}
int main(int count, char **words) {
    if (count > 1 && !strcmp(words[1], "--help")) return puts(HELP), 0;
    demand(count > 1 && *words[1] != '-', "is %s; accepted: golden files, or --help", count > 1 ? words[1] : "missing");
    for (int k = 1; k < count; k++) file = words[k], judge();
    printf("%d cases replayed, %d wrong, %d not replayed; worst %.3f of its tolerance\n", right + wrong, wrong, left, worst);
    return wrong ? 1 : right ? 0 : 2;
}
