/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: The chatd authors */
#pragma once

/* The cases for what it costs chatd that connections outlive its process: see cases.h. */

#include "cases.h"

enum { SURVIVAL_MORE = 500 }; /* clients who come after the first ones in vault<n> */

int survival_run_vault(const Case *c, const CaseSetup *setup, ServerKind kind, double *values, char *remark);
int survival_run_line(const Case *c, const CaseSetup *setup, ServerKind kind, double *values, char *remark);
int survival_run_pause(const Case *c, const CaseSetup *setup, ServerKind kind, double *values, char *remark);
