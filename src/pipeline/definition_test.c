#include "base/mem.h"
#include "pipeline/pipeline.h"
#include "pipeline/splice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static enum errcode parse(const char *text, struct pipeline **p, struct err *e)
{
	json_t *j = json_loads(text, 0, NULL);
	assert_non_null(j);
	enum errcode code = pipeline_parse(j, p, e);
	json_decref(j);
	return code;
}

#define PARSE			"{\"id\":\"parse\",\"capability\":\"email.parse\"}"
#define CLASSIFY		"{\"id\":\"classify\",\"capability\":\"email.classify\",\"each\":\"parse\",\"in_flight\":8}"
#define INSIGHTS		"{\"id\":\"insights\",\"capability\":\"email.insights\",\"gather\":\"classify\"}"
#define PIPELINE(steps) "{\"name\":\"p\",\"steps\":[" steps "]}"

static void a_definition_shows_the_same_after_it_was_shown_and_read_again(void **state)
{
	struct pipeline *p, *again;
	struct err e;
	assert_int_equal(parse(PIPELINE(PARSE "," CLASSIFY "," INSIGHTS), &p, &e), E_OK);
	assert_int_equal(p->step_n, 3);
	assert_int_equal(p->output, 2);
	assert_int_equal(p->steps[1].in_flight, 8);
	json_t *first = pipeline_json(p);
	assert_int_equal(pipeline_parse(first, &again, &e), E_OK);
	json_t *second = pipeline_json(again);
	assert_true(json_equal(first, second));
	json_decref(first);
	json_decref(second);
	pipeline_free(p);
	pipeline_free(again);
}

static void refuse(const char *text, const char *word)
{
	struct pipeline *p;
	struct err e;
	assert_int_equal(parse(text, &p, &e), E_INVALID);
	if (!strstr(e.text, word))
		fail_msg("\"%s\" does not say \"%s\"", e.text, word);
}

static void a_graph_that_cannot_run_is_refused_naming_the_step(void **state)
{
	refuse(PIPELINE(PARSE "," PARSE), "another step has this id");
	refuse(PIPELINE("{\"id\":\"a\",\"capability\":\"x\",\"after\":\"b\"}"), "there is no earlier step \"b\"");
	refuse(PIPELINE("{\"id\":\"a\",\"capability\":\"x\",\"after\":\"a\"}"), "there is no earlier step \"a\"");
	refuse(
		PIPELINE(PARSE ",{\"id\":\"a\",\"capability\":\"x\",\"gather\":\"parse\"}"), "gather needs a step with `each`");
	refuse(PIPELINE(PARSE "," CLASSIFY ",{\"id\":\"a\",\"capability\":\"x\",\"after\":\"classify\"}"),
		"`gather` is what joins them");
	refuse(PIPELINE(PARSE "," CLASSIFY ",{\"id\":\"b\",\"capability\":\"x\",\"each\":\"parse\"}"),
		"go to \"classify\" already");
	refuse(
		PIPELINE(PARSE ",{\"id\":\"a\",\"capability\":\"x\",\"each\":\"parse\",\"after\":\"parse\"}"), "only one of");
	refuse(PIPELINE("{\"id\":\"items\",\"capability\":\"x\"},{\"id\":\"b\",\"capability\":\"y\",\"each\":\"items\"}"),
		"call that step something else");
	refuse(PIPELINE("{\"id\":\"a\",\"capability\":\"two words\"}"), "must consist of letters");
	refuse(PIPELINE("{\"id\":\"a\",\"capability\":\"x\",\"timeout\":\"8d\"}"), "from 1ms to 7d");
	refuse("{\"name\":\"p\",\"output\":\"z\",\"steps\":[" PARSE "]}", "there is no step \"z\"");
}

static void spliced_members_come_in_order_and_the_second_object_wins(void **state)
{
	scoped(buf_fini) struct buf out = {0};
	assert_true(splice_members(&out, bytes_of("{\"a\":1, \"b\" : [2,{\"c\":3}]}"), bytes_of("{\"a\":{\"d\":4}}")));
	assert_string_equal(out.data, "\"b\":[2,{\"c\":3}],\"a\":{\"d\":4}");
}

static void what_is_no_object_is_not_spliced(void **state)
{
	scoped(buf_fini) struct buf out = {0};
	assert_false(splice_members(&out, bytes_of("[1]"), bytes_of("{}")));
	assert_false(splice_members(&out, bytes_of("{}"), bytes_of("{\"a\":}")));
	assert_int_equal(out.size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_definition_shows_the_same_after_it_was_shown_and_read_again),
		cmocka_unit_test(a_graph_that_cannot_run_is_refused_naming_the_step),
		cmocka_unit_test(spliced_members_come_in_order_and_the_second_object_wins),
		cmocka_unit_test(what_is_no_object_is_not_spliced),
	};
	return cmocka_run_group_tests_name("pipeline/definition", tests, NULL, NULL);
}
