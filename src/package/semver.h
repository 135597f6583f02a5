/* semver.h - semantic versions (semver.org 2.0.0) and ranges of them. Pure.
 *
 * A range is a list of comparators, all of which must hold: "1.2.3" or "=1.2.3" (that one), ">=2.1.0 <3", ">1", "<=2.0".
 * A version in a range may leave out minor and patch: they are 0. "", "*" and NULL: any. */
#pragma once
#include <stdbool.h>

struct semver {
	unsigned major, minor, patch;
	char prerelease[64]; /* "" when none */
};

bool semver_parse(const char *text, struct semver *out); /* strictly MAJOR.MINOR.PATCH[-prerelease][+build] */
int semver_compare(const struct semver *a, const struct semver *b); /* < 0, 0, > 0 by precedence */
bool semver_range_valid(const char *range);
bool semver_in_range(const struct semver *v, const char *range); /* false for an invalid range, too */
