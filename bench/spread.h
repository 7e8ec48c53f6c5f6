/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* The middle and the ends of some figures. */

enum { SPREAD_VALUES_MAX = 99 };

typedef struct Spread {
    double median, least, most; /* NAN: there are no figures */
} Spread;

/* Those that are NAN are left out. */
Spread spread_of(const double *values, unsigned n);
