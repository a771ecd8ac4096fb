/* Reads golden files by docs/golden-format.md and replays their cases, with whatever Adam in C99 it is given. */
#include <stdint.h>
#include "json.h"

/* A case of loaded() of which nothing is unknown() is replay()ed by a function that moves all parameters by value()s and their g. */
enum { MAX_BYTES = 1 << 20, MAX_PARAMETERS = 64, MAX_ELEMENTS = 4096, MAX_STEPS = 20000, MAX_SET = 16 };
#define EACH(one, list) for (const Node *one = (list) ? (list)->first : NULL; one; one = one->next)
static const char *HYPERPARAMETERS[] = {"learning_rate", "beta_1", "beta_2", "epsilon", "adaptive_epsilon", "epsilon_root", "amsgrad",
    "l2", "weight_decay", "exclude_from_weight_decay", "decay", "rescale_grad", "clip_gradient", "lr_mult", "wd_mult",
    "begin_num_update", NULL};
static const char *KEYS[] = {"id", "description", "source", "flags", "hyperparameters", "parameters", "gradients", "between",
    "state_order", "expected", NULL};
static const char *DOINGS[] = {"set", "save-and-load", "rebuild", NULL}; /* of which set alone changes what a replay computes */
static const char *STAY[] = {"amsgrad", "begin_num_update", "exclude_from_weight_decay", NULL}; /* whatever is set */
static const char *QUANTITIES[] = {"parameters", "m", "v", "v_max"};

/* g and square: gradients and their squares, those of one row summed; named: whether its row is; given: whether there are any */
typedef struct { int height, width, size, given; long t; double theta[MAX_ELEMENTS], m[MAX_ELEMENTS], v[MAX_ELEMENTS],
    v_max[MAX_ELEMENTS], g[MAX_ELEMENTS], square[MAX_ELEMENTS]; char named[MAX_ELEMENTS]; } Parameter;
static Parameter all[MAX_PARAMETERS];
static int count, layers;
static const Node *settings[1 + MAX_SET]; /* the hyper-parameters of a case, and those that have been set since */
static double scratch[MAX_ELEMENTS * 4], worst; /* fraction of a tolerance */

static int listed(const char **words, const char *word) {
    while (*words && strcmp(*words, word)) words++;
    return *words != NULL;
}
static const char *stranger(const char **names, const Node *object) { /* the first key that is none of them, unless it is null */
    EACH(one, object) if (one->kind != 'n' && !listed(names, one->key)) return one->key;
    return NULL;
}
static const Node *setting(const char *name) { /* the latest; NULL where it is null, or not there */
    const Node *latest = NULL;
    for (int k = 0; k < layers; k++) EACH(one, settings[k]) if (!strcmp(one->key, name)) latest = one;
    return latest && latest->kind != 'n' ? latest : NULL;
}
static double scalar(const Node *n) {
    return n->kind == '{' ? number(get(n, "hex", '"')) : n->kind == 't' || n->kind == 'f' ? n->kind == 't' : (double)whole(n);
}
static double value(const char *name, double absent) { return setting(name) ? scalar(setting(name)) : absent; }
static double factor(const char *name, int i) { /* of a list, the one of a parameter */
    return setting(name) && setting(name)->size ? scalar(item(setting(name), i)) : 1;
}

static const Node *loaded(const char *path) { /* a file, of which whatever is said from now on is said */
    static char content[MAX_BYTES + 2];
    FILE *stream = fopen(file = path, "rb");
    demand(stream != NULL, "cannot be read");
    size_t size = fread(content, 1, MAX_BYTES + 1, stream);
    demand(!ferror(stream), "cannot be read"); /* a folder, for one */
    fclose(stream);
    demand(size <= MAX_BYTES, "is larger than %d bytes", MAX_BYTES);
    content[size] = 0, at = content, used = 0;
    const Node *data = parsed(0);
    demand(data->kind == '{' && !next(), "is no object of JSON");
    const char *format = get(data, "format", '"')->text, *accepted = "adam-conformance golden";
    long version = get(data, "version", '0')->integer;
    demand(!strcmp(format, accepted) && version == 1, "is of %s, version %ld; accepted: %s, 1", format, version, accepted);
    return data;
}
static const char *unknown(const Node *data) { /* what of a case; before that, all that is done between its steps is looked at */
    const Node *gradients = get(data, "gradients", '{'), *stored = find(gradients, "stored"), *between = find(data, "between");
    const char *reason = stranger(HYPERPARAMETERS, get(data, "hyperparameters", '{'));
    long last = 0, steps = stored ? stored->size : get(gradients, "steps", '0')->integer;
    demand(!between || (between->kind == '[' && between->size >= 1 && between->size <= MAX_SET), "between; accepted: 1 to 16 objects");
    EACH(event, between) {
        const Node *set = find(event, "hyperparameters");
        const char *what = get(event, "do", '"')->text;
        long after = whole(get(event, "after", '0')), most = strcmp(what, "rebuild") ? steps - 1 : 0;
        demand(after >= last && after <= most, "%s is after %ld; accepted: rising, from 0 to %ld", what, after, most);
        demand(strcmp(what, "set") ? !set : set && set->kind == '{' && set->size, "hyperparameters; accepted: an object of set");
        EACH(one, set) demand(!listed(STAY, one->key), "sets %s; accepted: what is no part of the state", one->key);
        if (!reason) reason = listed(DOINGS, what) ? stranger(HYPERPARAMETERS, set) : what;
        last = after;
    }
    if (!stored && strcmp(get(gradients, "generator", '"')->text, "xorshift32")) return "its generator";
    return reason ? reason : stranger(KEYS, data);
}

static void begin(Parameter *p, const Node *given) {
    const Node *shape = get(given, "shape", '[');
    memset(p, 0, sizeof *p);
    p->size = 1, p->height = shape->size ? (int)whole(shape->first) : 1, p->t = (long)value("begin_num_update", 0);
    EACH(axis, shape) {
        demand(whole(axis) >= 1 && axis->integer <= MAX_ELEMENTS / p->size, "a shape is too large, or empty");
        p->size *= (int)axis->integer;
    }
    p->width = p->size / p->height;
    numbers(get(given, "values", '['), p->size, p->theta);
}
static double generated(uint32_t *x, long exponent) {
    *x ^= *x << 13, *x ^= *x >> 17, *x ^= *x << 5;
    return ldexp((double)(*x >> 8) - 8388608, (int)exponent - 23);
}
static void gradient(Parameter *p, const Node *given, uint32_t *x, long exponent) { /* of x, where none is given */
    const Node *rows = given ? find(given, "rows") : NULL;
    int size = (rows ? rows->size : p->height) * p->width;
    demand(size <= (int)(sizeof scratch / sizeof *scratch), "has a gradient of %d numbers", size);
    if (given) numbers(rows ? get(given, "values", '[') : given, size, scratch);
    memset(p->g, 0, sizeof p->g), memset(p->square, 0, sizeof p->square), memset(p->named, 0, sizeof p->named);
    for (int k = 0; k < size; k++) {
        long row = rows ? whole(item(rows, k / p->width)) : k / p->width, j = row * p->width + k % p->width;
        demand(row >= 0 && row < p->height, "names row %ld; accepted: 0 to %d", row, p->height - 1);
        double g = given ? scratch[k] : generated(x, exponent);
        p->g[j] += g, p->square[j] += g * g, p->named[j] = 1;
    }
}
static int compare(const char *id, const Node *expected) { /* 1 where it says what is wrong */
    long step = whole(get(expected, "step", '0'));
    for (int i = 0; i < count; i++) for (int q = 0; q < (value("amsgrad", 0) ? 4 : 3); q++) {
        const Node *e = item(get(get(expected, "tolerance", '{'), QUANTITIES[q], '['), i);
        long t = whole(item(get(expected, "t", '['), i));
        if (t != all[i].t) return printf("wrong: %s, step %ld: t of parameter %d is %ld; accepted: %ld\n", id, step, i, all[i].t, t), 1;
        const double *got = (const double *[]){all[i].theta, all[i].m, all[i].v, all[i].v_max}[q];
        demand(e->size == all[i].size, "%s: tolerance has a list of %d; accepted: %d", id, e->size, all[i].size);
        numbers(item(get(expected, QUANTITIES[q], '['), i), all[i].size, scratch), e = e->first;
        for (int j = 0; j < all[i].size; j++, e = e->next) {
            double off = fabs(got[j] - scratch[j]), limit = e->kind == 'n' ? 0 : ldexp(1, (int)whole(e));
            if (!(off <= limit)) return printf("wrong: %s, step %ld: %s of parameter %d, element %d, is %.17g; accepted: %.17g"
                " +- %.3g\n", id, step, QUANTITIES[q], i, j, got[j], scratch[j], limit), 1;
            if (limit > 0) worst = fmax(worst, off / limit);
        }
    }
    return 0;
}
static int replay(const Node *data, void (*move)(void)) { /* by what makes one step of all; 1 where something is wrong */
    const Node *gradients = get(data, "gradients", '{'), *stored = find(gradients, "stored");
    const Node *parameters = get(data, "parameters", '['), *expected = get(data, "expected", '['), *due = expected->first;
    const char *id = get(data, "id", '"')->text;
    long steps = stored ? stored->size : get(gradients, "steps", '0')->integer;
    uint32_t x = stored ? 0 : (uint32_t)get(gradients, "seed", '0')->integer;
    int wrong = 0;
    demand(parameters->size <= MAX_PARAMETERS && steps <= MAX_STEPS, "%s: has %d parameters, %ld steps", id, parameters->size, steps);
    settings[0] = get(data, "hyperparameters", '{'), layers = 1, count = parameters->size;
    for (int i = 0; i < count; i++) begin(&all[i], item(parameters, i));
    for (int made = 0; made < steps; made++) {
        EACH(event, find(data, "between"))
            if (get(event, "after", '0')->integer == made) settings[layers++] = find(event, "hyperparameters");
        for (int i = 0; i < count; i++) {
            const Node *given = stored ? item(item(stored, made), i) : NULL;
            all[i].given = !given || given->kind != 'n';
            if (all[i].given) gradient(&all[i], given, &x, given ? 0 : whole(item(get(gradients, "exponents", '['), i)));
        }
        move();
        if (!due || whole(get(due, "step", '0')) != made + 1) continue;
        wrong = wrong || compare(id, due), due = due->next;
    }
    demand(expected->size && !due, "%s: steps of expected; accepted: rising, from 1 to %ld", id, steps);
    return wrong;
}
