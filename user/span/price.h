/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tokens cost, by a table like schemas/prices.json.  A model that is not in the table has no
 * price: no cost is better than a wrong one.
 *
 * An entry's `match` is a model name.  It matches that name, the name with a release behind it
 * (-20250514, -2025-08-07, @20250514, -latest), and with a * at its end every name that starts so.
 * The longest match wins.  An entry of a provider matches calls to that provider and calls whose
 * provider is not known.  `above` gives the prices of requests with more input tokens than it says;
 * they hold for the whole request.
 */
#ifndef RINGSPAN_PRICE_H
#define RINGSPAN_PRICE_H

#include "sem/sem.h"

struct price_table;

/* 0, -EINVAL (no price table; logged), -ENOMEM. */
int price_table_parse(struct price_table **out, struct sv json);
int price_table_default(struct price_table **out); /* schemas/prices.json as it was at build time */
void price_table_free(struct price_table **t);
struct sv price_table_date(const struct price_table *t); /* valid as long as the table */

/*
 * Cost in US dollars.  Cache writes count at the price of the shortest lifetime; without a price of
 * their own, cached tokens count as input.  False: no price, or no token count at all.
 */
bool price_cost(const struct price_table *t, struct sv provider, struct sv model,
		const struct sem_usage *u, double *usd);

#endif
