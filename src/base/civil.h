/* civil.h - dates of the Gregorian calendar as days since 1970-01-01, and back. Pure; years after 0. */
#pragma once
#include <stdint.h>

int64_t civil_days(int year, int month, int day);
void civil_date(int64_t days, int *year, int *month, int *day);
int civil_days_in(int year, int month); /* 28-31 */
int civil_weekday(int64_t days); /* 0: Sunday */
