/* parts.h - between the files of this folder. */
#pragma once

struct loop;
struct outputs;

struct loop *outputs_loop(struct outputs *o);
