/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* A bar chart in SVG: what a delivery costs, in terms of the bare loop. */

#include <stdio.h>

#include "report.h"

void plot_print(const Report *report, FILE *to);
