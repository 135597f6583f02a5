#include "contract.h"

const char contract_config[] =
	"{\"type\":\"object\",\"properties\":{\"max_text\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":524288,"
	"\"default\":262144,\"description\":\"bytes of text in an item, at most\"},\"max_message_bytes\":{"
	"\"type\":\"integer\",\"minimum\":1024,\"default\":1073741824,"
	"\"description\":\"a larger message is reported as damaged\"},\"snippet_length\":{\"type\":\"integer\","
	"\"minimum\":0,\"maximum\":10000,\"default\":200},\"attachments\":{\"enum\":[\"none\",\"metadata\",\"blobs\"],"
	"\"default\":\"metadata\"}},\"required\":[],\"additionalProperties\":false}";

const char contract_input[] =
	"{\"type\":\"object\",\"properties\":{\"blob\":{\"type\":\"string\",\"description\":\"the mailbox or message,"
	" uploaded before\"},\"message\":{\"type\":\"string\",\"description\":\"the mailbox or message itself,"
	" at most 1 MiB\"},\"bytes\":{\"type\":\"integer\",\"minimum\":0},\"filename\":{\"type\":\"string\"},"
	"\"keywords\":{\"type\":\"array\",\"maxItems\":256,\"items\":{\"type\":\"string\",\"minLength\":1,"
	"\"maxLength\":200}},\"snippet_length\":{\"type\":[\"integer\",\"null\"],\"minimum\":0,\"maximum\":10000},"
	"\"max_messages\":{\"type\":[\"integer\",\"null\"],\"minimum\":1},\"max_text\":{\"type\":[\"integer\",\"null\"],"
	"\"minimum\":0,\"maximum\":524288},\"attachments\":{\"enum\":[\"none\",\"metadata\",\"blobs\",null]},\"format\":{"
	"\"enum\":[\"auto\",\"mbox\",\"eml\",null]},\"output_format\":{\"enum\":[\"jsonl\",null]}},\"required\":[],"
	"\"additionalProperties\":false}";

const char contract_item[] =
	"{\"type\":\"object\",\"properties\":{\"key\":{\"type\":\"integer\",\"minimum\":0},\"message_id\":{"
	"\"type\":[\"string\",\"null\"]},\"from\":{\"type\":[\"string\",\"null\"]},\"from_address\":{\"type\":[\"string\","
	"\"null\"]},\"to\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},\"cc\":{\"type\":\"array\",\"items\":{"
	"\"type\":\"string\"}},\"date\":{\"type\":[\"string\",\"null\"]},\"subject\":{\"type\":[\"string\",\"null\"]},"
	"\"text\":{\"type\":\"string\"},\"text_truncated\":{\"type\":\"boolean\"},\"snippet\":{\"type\":\"string\"},"
	"\"body_length\":{\"type\":\"integer\",\"minimum\":0},\"size\":{\"type\":\"integer\",\"minimum\":0},"
	"\"attachments\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},"
	"\"type\":{\"type\":\"string\"},\"size\":{\"type\":\"integer\",\"minimum\":0},\"sha256\":{\"type\":\"string\"},"
	"\"blob\":{\"type\":\"string\"}},\"required\":[\"name\",\"type\",\"size\",\"sha256\"]}},\"matched_keywords\":{"
	"\"type\":\"array\",\"items\":{\"type\":\"string\"}},\"is_receipt\":{\"type\":\"boolean\"},\"damaged\":{"
	"\"type\":\"array\",\"items\":{\"type\":\"string\"}}},\"required\":[\"key\",\"message_id\",\"from\",\"from_"
	"address\","
	"\"to\",\"cc\",\"date\",\"subject\",\"text\",\"snippet\",\"body_length\",\"size\",\"attachments\","
	"\"matched_keywords\",\"is_receipt\"]}";

const char contract_parse_output[] =
	"{\"type\":\"object\",\"properties\":{\"status\":{\"const\":\"completed\"},\"format\":{\"enum\":[\"mbox\",\"eml\"]}"
	","
	"\"message_count\":{\"type\":\"integer\",\"minimum\":0},\"damaged_count\":{\"type\":\"integer\",\"minimum\":0},"
	"\"receipt_count\":{\"type\":\"integer\",\"minimum\":0},\"attachment_count\":{\"type\":\"integer\","
	"\"minimum\":0},\"bytes\":{\"type\":\"integer\",\"minimum\":0},\"summary\":{\"type\":\"object\",\"properties\":{"
	"\"date_range\":{\"type\":\"object\",\"properties\":{\"earliest\":{\"type\":[\"string\",\"null\"]},\"latest\":{"
	"\"type\":[\"string\",\"null\"]},\"total_span_days\":{\"type\":[\"integer\",\"null\"]}},\"required\":[\"earliest\","
	"\"latest\",\"total_span_days\"]},\"top_senders\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
	"\"properties\":{\"address\":{\"type\":\"string\"},\"count\":{\"type\":\"integer\",\"minimum\":0}},"
	"\"required\":[\"address\",\"count\"]}},\"top_senders_approximate\":{\"type\":\"boolean\"},"
	"\"receipt_percentage\":{\"type\":\"number\",\"minimum\":0},\"average_body_length\":{\"type\":\"number\","
	"\"minimum\":0},\"most_common_keywords\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
	"\"keyword\":{\"type\":\"string\"},\"count\":{\"type\":\"integer\",\"minimum\":0}},\"required\":[\"keyword\","
	"\"count\"]}}},\"required\":[\"date_range\",\"top_senders\",\"top_senders_approximate\","
	"\"receipt_percentage\",\"average_body_length\",\"most_common_keywords\"]}},\"required\":[\"status\","
	"\"format\",\"message_count\",\"damaged_count\",\"receipt_count\",\"attachment_count\",\"bytes\",\"summary\"]}";

const char contract_analyze_output[] =
	"{\"type\":\"object\",\"properties\":{\"status\":{\"const\":\"completed\"},\"analysis\":{\"type\":\"object\","
	"\"properties\":{\"total_messages\":{\"type\":\"integer\",\"minimum\":0},\"damaged_messages\":{"
	"\"type\":\"integer\",\"minimum\":0},\"receipt_ratio\":{\"type\":\"number\",\"minimum\":0},\"date_range\":{"
	"\"type\":\"object\",\"properties\":{\"earliest\":{\"type\":[\"string\",\"null\"]},\"latest\":{\"type\":["
	"\"string\","
	"\"null\"]},\"total_span_days\":{\"type\":[\"integer\",\"null\"]}},\"required\":[\"earliest\",\"latest\","
	"\"total_span_days\"]},\"top_senders\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
	"\"address\":{\"type\":\"string\"},\"count\":{\"type\":\"integer\",\"minimum\":0}},\"required\":[\"address\","
	"\"count\"]}},\"top_senders_approximate\":{\"type\":\"boolean\"},\"subject_keywords\":{\"type\":\"array\","
	"\"items\":{\"type\":\"object\",\"properties\":{\"word\":{\"type\":\"string\"},\"count\":{\"type\":\"integer\","
	"\"minimum\":0}},\"required\":[\"word\",\"count\"]}},\"size_distribution\":{\"type\":\"object\",\"properties\":{"
	"\"min_size\":{\"type\":\"integer\",\"minimum\":0},\"max_size\":{\"type\":\"integer\",\"minimum\":0},"
	"\"average_size\":{\"type\":\"number\",\"minimum\":0},\"total_size\":{\"type\":\"integer\",\"minimum\":0}},"
	"\"required\":[\"min_size\",\"max_size\",\"average_size\",\"total_size\"]},\"temporal_distribution\":{"
	"\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"month\":{\"type\":\"string\"},\"count\":{"
	"\"type\":\"integer\",\"minimum\":0}},\"required\":[\"month\",\"count\"]}},\"attachments\":{\"type\":\"object\","
	"\"properties\":{\"count\":{\"type\":\"integer\",\"minimum\":0},\"total_size\":{\"type\":\"integer\","
	"\"minimum\":0},\"messages_with_attachments\":{\"type\":\"integer\",\"minimum\":0},\"types\":{\"type\":\"array\","
	"\"items\":{\"type\":\"object\",\"properties\":{\"type\":{\"type\":\"string\"},\"count\":{\"type\":\"integer\","
	"\"minimum\":0}},\"required\":[\"type\",\"count\"]}}},\"required\":[\"count\",\"total_size\","
	"\"messages_with_attachments\",\"types\"]}},\"required\":[\"total_messages\",\"damaged_messages\","
	"\"receipt_ratio\",\"date_range\",\"top_senders\",\"top_senders_approximate\",\"subject_keywords\","
	"\"size_distribution\",\"temporal_distribution\",\"attachments\"]}},\"required\":[\"status\",\"analysis\"]}";

const char contract_errors[] =
	"[{\"code\":\"INVALID_EMAIL\",\"description\":\"the input is neither a mailbox nor a message\","
	"\"retryable\":false},{\"code\":\"INVALID_OPTIONS\","
	"\"description\":\"the job asks for something that there is not\",\"retryable\":false},{"
	"\"code\":\"PARSING_FAILED\",\"description\":\"the input could not be read,"
	" or an attachment not be stored\",\"retryable\":true}]";
