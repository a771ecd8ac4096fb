/* JSON as golden files have it: objects, arrays, text, whole numbers, true, false, null. What is not ends the program with 2. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *file = "FILE...";

static void demand(int holds, const char *what, ...) {
    va_list rest;
    if (holds) return;
    va_start(rest, what);
    fprintf(stderr, "error: %s: ", file), vfprintf(stderr, what, rest), fputc('\n', stderr);
    exit(2);
}

/* kind: the first character of the value, 0 of every number; text: a string's, escapes as they stand in the file */
typedef struct Node { char kind; const char *key, *text; long integer; int size; struct Node *first, *next; } Node;
static char *at;
static Node nodes[400000];
static int used;

static char next(void) { at += strspn(at, " \t\r\n"); return *at; }
static Node *parsed(int depth) {
    demand(depth < 32 && used < (int)(sizeof nodes / sizeof *nodes), "is too deep or too long");
    Node *n = &nodes[used++], **last = &n->first;
    *n = (Node){.kind = next()};
    if (n->kind == '"') {
        for (n->text = ++at; *at && *at != '"'; at++) if (*at == '\\' && at[1]) at++;
        demand(*at == '"', "is no JSON: a string does not end");
        *at++ = 0;
    } else if (n->kind == '{' || n->kind == '[') {
        char end = n->kind == '{' ? '}' : ']';
        for (at++; next() != end; n->size++, last = &(*last)->next) {
            Node *key = NULL;
            if (n->size) demand(*at == ',', "is no JSON: no comma before %.20s", at), at++;
            if (end == '}') {
                key = parsed(depth + 1);
                demand(key->kind == '"' && next() == ':', "is no JSON: no key before %.20s", at);
                at++;
            }
            *last = parsed(depth + 1), (*last)->key = key ? key->text : NULL;
        }
        at++;
    } else if (!strncmp(at, "null", 4) || !strncmp(at, "true", 4)) at += 4;
    else if (!strncmp(at, "false", 5)) at += 5;
    else {
        demand(n->kind == '-' || (n->kind >= '0' && n->kind <= '9'), "is no JSON at %.20s", at);
        n->kind = '0', n->integer = strtol(at, &at, 10);
    }
    return n;
}
static Node *find(const Node *n, const char *key) {
    Node *each = n->kind == '{' ? n->first : NULL;
    while (each && strcmp(each->key, key)) each = each->next;
    return each && each->kind != 'n' ? each : NULL;
}
static Node *get(const Node *n, const char *key, char kind) {
    Node *found = find(n, key);
    demand(found && found->kind == kind, "has no %s, or of another kind", key);
    return found;
}
static Node *item(const Node *n, int k) {
    Node *each = n->first;
    demand(n->kind == '[' && k >= 0 && k < n->size, "has a list of %d, of which number %d is asked", n->size, k + 1);
    while (k--) each = each->next;
    return each;
}
static long whole(const Node *n) {
    demand(n->kind == '0', "has %.40s; accepted: a whole number", n->kind == '"' ? n->text : "no number");
    return n->integer;
}
static double number(const Node *n) {
    char *end = "";
    double x = n->kind == '"' && !strncmp(n->text + (*n->text == '-'), "0x", 2) ? strtod(n->text, &end) : NAN;
    demand(isfinite(x) && !*end, "%.40s is no number; accepted: a hexadecimal float such as 0x1.8p-3", n->text ? n->text : "null");
    return x;
}
static void numbers(const Node *list, int size, double *into) {
    const Node *each = list->first;
    demand(list->kind == '[' && list->size == size, "has a list of %d; accepted: %d numbers", list->size, size);
    for (int j = 0; j < size; j++, each = each->next) into[j] = number(each);
}
