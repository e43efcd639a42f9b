/* The C file that the gcc benchmark compiles: a calculator with variables, needing no headers. */
typedef unsigned long size;

enum { kNames = 256, kDepth = 64 };

struct name {
  const char *text;
  size length;
  double value;
  struct name *next;
};

struct state {
  const char *at;
  const char *error;
  struct name *buckets[kNames];
  struct name pool[kNames];
  size used;
  double stack[kDepth];
  size depth;
};

static int is_space(char c) { return c == ' ' || c == '\t' || c == '\n'; }
static int is_digit(char c) { return c >= '0' && c <= '9'; }
static int is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

static unsigned hash(const char *text, size length) {
  unsigned h = 2166136261u;
  for (size n = 0; n < length; ++n) h = (h ^ (unsigned char)text[n]) * 16777619u;
  return h;
}

static int equal(const char *a, const char *b, size length) {
  for (size n = 0; n < length; ++n) {
    if (a[n] != b[n]) return 0;
  }
  return 1;
}

static struct name *find(struct state *s, const char *text, size length, int create) {
  struct name **bucket = &s->buckets[hash(text, length) % kNames];
  for (struct name *n = *bucket; n; n = n->next) {
    if (n->length == length && equal(n->text, text, length)) return n;
  }
  if (!create || s->used == kNames) return 0;
  struct name *fresh = &s->pool[s->used++];
  fresh->text = text;
  fresh->length = length;
  fresh->value = 0;
  fresh->next = *bucket;
  *bucket = fresh;
  return fresh;
}

static void skip(struct state *s) {
  while (is_space(*s->at)) ++s->at;
}

static double fail(struct state *s, const char *what) {
  if (!s->error) s->error = what;
  return 0;
}

static double number(struct state *s) {
  double value = 0, scale = 1;
  while (is_digit(*s->at)) value = value * 10 + (*s->at++ - '0');
  if (*s->at == '.') {
    ++s->at;
    while (is_digit(*s->at)) {
      scale /= 10;
      value += scale * (*s->at++ - '0');
    }
  }
  if (*s->at == 'e' || *s->at == 'E') {
    int negative = 0, exponent = 0;
    ++s->at;
    if (*s->at == '-') {
      negative = 1;
      ++s->at;
    }
    while (is_digit(*s->at)) exponent = exponent * 10 + (*s->at++ - '0');
    while (exponent-- > 0) value = negative ? value / 10 : value * 10;
  }
  return value;
}

static double expression(struct state *s);

static double primary(struct state *s) {
  skip(s);
  if (*s->at == '(') {
    ++s->at;
    const double value = expression(s);
    skip(s);
    if (*s->at != ')') return fail(s, "expected )");
    ++s->at;
    return value;
  }
  if (*s->at == '-') {
    ++s->at;
    return -primary(s);
  }
  if (is_digit(*s->at)) return number(s);
  if (is_letter(*s->at)) {
    const char *start = s->at;
    while (is_letter(*s->at) || is_digit(*s->at)) ++s->at;
    const size length = (size)(s->at - start);
    skip(s);
    if (*s->at == '=' && s->at[1] != '=') {
      ++s->at;
      const double value = expression(s);
      struct name *n = find(s, start, length, 1);
      if (!n) return fail(s, "too many names");
      return n->value = value;
    }
    const struct name *n = find(s, start, length, 0);
    return n ? n->value : fail(s, "unknown name");
  }
  return fail(s, "expected a value");
}

static double power(double base, double exponent) {
  double result = 1;
  int n = (int)exponent;
  const int negative = n < 0;
  if (negative) n = -n;
  for (; n; n >>= 1, base *= base) {
    if (n & 1) result *= base;
  }
  return negative ? 1 / result : result;
}

static double factor(struct state *s) {
  const double value = primary(s);
  skip(s);
  if (*s->at != '^') return value;
  ++s->at;
  return power(value, factor(s));
}

static double term(struct state *s) {
  double value = factor(s);
  for (;;) {
    skip(s);
    switch (*s->at) {
      case '*':
        ++s->at;
        value *= factor(s);
        break;
      case '/': {
        ++s->at;
        const double by = factor(s);
        if (by == 0) return fail(s, "division by zero");
        value /= by;
        break;
      }
      case '%': {
        ++s->at;
        const int by = (int)factor(s);
        if (by == 0) return fail(s, "division by zero");
        value = (int)value % by;
        break;
      }
      default:
        return value;
    }
  }
}

static double sum(struct state *s) {
  double value = term(s);
  for (;;) {
    skip(s);
    if (*s->at == '+') {
      ++s->at;
      value += term(s);
    } else if (*s->at == '-') {
      ++s->at;
      value -= term(s);
    } else {
      return value;
    }
  }
}

static double expression(struct state *s) {
  if (s->depth == kDepth) return fail(s, "too deep");
  s->stack[s->depth++] = 0;
  double value = sum(s);
  skip(s);
  if (*s->at == '<') {
    ++s->at;
    value = value < sum(s);
  } else if (*s->at == '>') {
    ++s->at;
    value = value > sum(s);
  }
  --s->depth;
  return value;
}

double calculate(struct state *s, const char *text, const char **error) {
  double value = 0;
  s->at = text;
  s->error = 0;
  s->depth = 0;
  do {
    value = expression(s);
    skip(s);
  } while (!s->error && *s->at == ';' && *++s->at);
  if (!s->error && *s->at) fail(s, "more than an expression");
  *error = s->error;
  return value;
}

void sort_names(struct state *s, struct name **order) {
  for (size n = 0; n < s->used; ++n) order[n] = &s->pool[n];
  for (size gap = s->used / 2; gap; gap /= 2) {
    for (size n = gap; n < s->used; ++n) {
      struct name *kept = order[n];
      size k = n;
      for (; k >= gap && order[k - gap]->value > kept->value; k -= gap) order[k] = order[k - gap];
      order[k] = kept;
    }
  }
}
