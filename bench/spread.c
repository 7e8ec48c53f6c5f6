/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#include <math.h>
#include <stdlib.h>

#include "base/macro.h"
#include "spread.h"

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return x < y ? -1 : x > y;
}

Spread spread_of(const double *values, unsigned n)
{
    double sorted[SPREAD_VALUES_MAX];
    unsigned k = 0;

    for (unsigned i = 0; i < MIN(n, (unsigned) SPREAD_VALUES_MAX); i++)
        if (!isnan(values[i]))
            sorted[k++] = values[i];
    if (k == 0)
        return (Spread){NAN, NAN, NAN};
    qsort(sorted, k, sizeof(sorted[0]), compare_doubles);
    return (Spread){
        .median = k % 2 == 1 ? sorted[k / 2] : (sorted[k / 2 - 1] + sorted[k / 2]) / 2,
        .least = sorted[0],
        .most = sorted[k - 1],
    };
}
