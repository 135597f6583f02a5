/* dataset.h - training lines read into memory as features: one JSON object a line, made by corpus.py or templates.py.
 *
 * {"y": label, "group": text, "subject", "from", "message_id", "text"}; lines of a file that is named with a leading '+' are for training
 * only: they are never part of a test or a fold that is measured. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct sample {
	uint32_t *index; /* ascending */
	uint8_t *block; /* of each: enum traits_block */
	uint32_t n;
	uint32_t group; /* hash of the group's name: it decides fold and part */
	int label; /* place in the list of labels */
	int only_train;
	char id[24];
};

struct dataset {
	struct sample *sample;
	size_t n, room;
};

/* Appends the lines of `path`; when `bare`, only subject, sender and text, as a person writes a mail down. Lines whose label is not in `labels` are left out. Ends the program when it cannot be read. */
void dataset_read(struct dataset *d, const char *path, char *const *labels, int labels_n, int bare);
