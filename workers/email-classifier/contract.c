/* contract.c - the schemas. The names of the types stand in types.c, too; judge_test.c compares them. */
#include "contract.h"

#define THRESHOLD "{\"type\":\"number\",\"minimum\":0,\"maximum\":1}"

const char contract_config[] = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
							   "\"model_dir\":{\"type\":\"string\",\"description\":\"folder of the *.model files; "
							   "default: models/ beside the worker\"},"
							   "\"language_dir\":{\"type\":\"string\",\"description\":\"fingerprints of "
							   "libexttextcat\",\"default\":\"/usr/share/libexttextcat\"},"
							   "\"confidence_threshold\":" THRESHOLD "}}";

const char contract_input[] =
	"{\"type\":\"object\",\"properties\":{"
	"\"email_content\":{\"type\":[\"string\",\"null\"],\"description\":\"a body, or Subject: and From: lines and a "
	"body\"},"
	"\"subject\":{\"type\":[\"string\",\"null\"]},\"from\":{\"type\":[\"string\",\"null\"]},\"text\":{\"type\":["
	"\"string\",\"null\"]},"
	"\"types\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"minItems\":1,\"maxItems\":7,\"description\":\"of: "
	"spam_detection, "
	"bill_detection, receipt_detection, sentiment_analysis, category, priority, language_detection; default all\"},"
	"\"confidence_threshold\":{\"type\":[\"number\",\"null\"],\"minimum\":0,\"maximum\":1}}}";

const char contract_output[] =
	"{\"type\":\"object\",\"required\":[\"classifications\"],\"properties\":{\"classifications\":{\"type\":\"array\","
	"\"items\":{"
	"\"type\":\"object\",\"required\":[\"type\",\"prediction\",\"confidence\"],\"properties\":{"
	"\"type\":{\"type\":\"string\"},\"prediction\":{\"type\":\"string\"},\"confidence\":" THRESHOLD ","
	"\"below_threshold\":{\"type\":\"boolean\"}}}}}}";

const char contract_errors[] =
	"[{\"code\":\"INVALID_INPUT\",\"description\":\"The input is no mail, or asks for a type that does not "
	"exist.\",\"retryable\":false},"
	"{\"code\":\"CLASSIFIER_UNAVAILABLE\",\"description\":\"There is no memory to work in at the "
	"moment.\",\"retryable\":true},"
	"{\"code\":\"CLASSIFICATION_FAILED\",\"description\":\"The answer could not be given.\",\"retryable\":true}]";
