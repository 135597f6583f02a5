/* lexicon.c - the table of words, and its hash. Words of one weight stand in one string; "_" joins two words in a row. */
#include "lexicon.h"

#include <string.h>

const char *const lexicon_language[LEXICON_LANGUAGES] = {"en", "fr", "de", "es", "it", "pt", "nl"};

static const char *const lexicon_common[LEXICON_LANGUAGES] = {
	"the a an and or of to in on at for with by from is are was were be been am has have had do does did will would "
	"can could "
	"should may not no yes you your yours i me my mine we us our he she it its they them their his her this that these "
	"those "
	"there here what which who how when where why if then than as so but because about after before all any some more "
	"most "
	"other only just also very get got go make made new good great happy day days time today tomorrow please thank "
	"thanks "
	"hello hi dear world meeting scheduled urgent review report asap order bill payment purchase total shop rich quick "
	"click "
	"congratulations won youve lottery free offer quarterly problem sorry terrible receipt ready monthly i'm dont cant "
	"invoice attached amount due june january march april account number service password computer friday monday "
	"server down fix "
	"love dinner sunday weekend home help works buy sale shoes price order ordered shipping online website click below "
	"visit "
	"wont isnt ive its lets thats want need know see look think work working well let us call email mail message send "
	"sent",
	"le la les un une des du de et ou est sont dans pour par sur avec sans vous nous je tu il elle ils elles votre vos "
	"notre nos "
	"mon ma mes ton ta ses ce cette ces que qui quoi dont ne pas plus bonjour bonsoir merci comment allez bien tres "
	"très être "
	"avoir fait faire au aux en se si mais oui non salut cher chère cordialement été était demain aujourd'hui facture",
	"der die das den dem des ein eine einen einem einer und oder ist sind war im in zu zum zur mit für von auf aus bei "
	"nach nicht "
	"kein keine ich du er sie es wir ihr ihnen mein dein sein ihre unser euch auch wie was wer wo wann warum guten "
	"hallo danke "
	"bitte tag morgen heute gut sehr haben hat wird werden kann können über rechnung geehrte grüßen liebe",
	"el la los las un una unos unas y o de del en con por para sin que es son está están fue ser hay no si sí mi tu su "
	"sus "
	"nuestro usted ustedes yo ella ellos como cómo qué cuando donde más muy pero hola gracias buenos buenas días "
	"tardes "
	"mañana hoy bien estás estas todo todos esta este factura estimado saludos",
	"il lo la i gli le un uno una e o di del della dei delle in con per da dal non che chi è sono era ho hai ha "
	"abbiamo mio tuo "
	"suo nostro vostro io lei noi voi loro come cosa quando dove più molto ma ciao grazie buongiorno buonasera domani "
	"oggi bene "
	"stai sta questo questa sia anche alla alle nel nella fattura gentile saluti",
	"o a os as um uma e ou de do da dos das em no na nos nas com por para sem que é são foi ser não sim meu minha seu "
	"sua nosso "
	"você vocês eu ele ela nós eles como quando onde mais muito mas olá obrigado obrigada bom boa dia tarde amanhã "
	"hoje bem "
	"tudo este esta isso fatura prezado",
	"de het een en of van in op te voor met door bij naar uit niet geen is zijn was ben heb heeft ik jij je u hij zij "
	"wij we ze "
	"mijn jouw uw ons onze dit dat deze die wat wie waar hoe wanneer ook maar als dan goed dag hallo dank bedankt "
	"morgen vandaag "
	"graag groet groeten factuur geachte worden wordt",
};

static const struct {
	const char *words;
	int8_t sentiment, urgency;
	uint8_t negates, amplifies;
} lexicon_meaning[] = {
	{"excellent wonderful fantastic amazing awesome outstanding perfect brilliant superb love loved delighted thrilled "
	 "terrific "
	 "fabulous incredible magnificent exceptional best",
		3, 0, 0, 0},
	{"great happy glad pleased beautiful enjoy enjoyed enjoying pleasure impressed congratulations joy exciting "
	 "excited grateful "
	 "lovely thankful success successful win superior proud delight delightful recommend smooth cheerful blessed",
		2, 0, 0, 0},
	{"good nice fine thanks thank cool fun helpful useful better welcome like liked appreciate appreciated hope works "
	 "easy "
	 "friendly fast well glad_to fresh improved positive satisfied reliable smile",
		1, 0, 0, 0},
	{"terrible horrible awful worst hate hated disgusting unacceptable outrageous furious disaster nightmare pathetic "
	 "useless "
	 "appalling dreadful miserable scam furious ripoff disgrace disgraceful abysmal",
		-3, 0, 0, 0},
	{"bad angry upset disappointed disappointing disappointment fail failed failure failing broken crash crashed "
	 "crashes wrong "
	 "sad poor annoying annoyed frustrated frustrating frustration problem ugly stupid hurt complaint complain damaged "
	 "lost lose "
	 "defective unhappy unfortunately rude hell dead ruined refuse refused waste wasted garbage crap sucks suck "
	 "ridiculous worse "
	 "unhelpful missing painful regret cancelled ashamed unreliable",
		-2, 0, 0, 0},
	{"sorry issue issues error errors trouble difficult difficulty delay delayed late slow bug bugs worry worried "
	 "concern concerned "
	 "afraid unable confusing confused hard lack lacking strange weird boring tired sick mess doubt apologies "
	 "apologize",
		-1, 0, 0, 0},
	{"not never no cannot cant dont doesnt didnt isnt wasnt wont wouldnt arent werent aint without hardly nothing "
	 "havent hasnt "
	 "shouldnt couldnt neither nor",
		0, 0, 1, 0},
	{"very extremely really so absolutely totally incredibly highly completely utterly truly", 0, 0, 0, 1},
	{"urgent urgently asap emergency immediately critical as_soon soon_as right_away right_now final_notice "
	 "action_required "
	 "time_sensitive outage sev1 production_down is_down immediate_attention immediate_action without_delay "
	 "top_priority",
		0, 3, 0, 0},
	{"immediate important deadline overdue past_due high_priority end_of of_day by_tomorrow by_today by_tonight "
	 "by_noon by_eod eod "
	 "due_today due_tomorrow expires_today final_reminder last_reminder will_be_suspended escalate escalation crucial "
	 "vital "
	 "need_this need_it blocker security_alert attention_required waiting_for within_the expires_tomorrow breach "
	 "today_at "
	 "by_friday by_monday by_end before_noon",
		0, 2, 0, 0},
	{"soon reminder follow_up followup update due expires expiring tomorrow schedule scheduled rescheduled deadline_is "
	 "please_respond "
	 "please_reply please_confirm please_review required respond_by reply_by quickly promptly meeting approval approve "
	 "this_week "
	 "this_afternoon this_morning next_week awaiting pending interview appointment payment",
		0, 1, 0, 0},
	{"no_rush no_hurry whenever not_urgent fyi newsletter unsubscribe weekly digest low_priority when_you no_action "
	 "nothing_urgent "
	 "no_need someday no_deadline not_important leisure",
		0, -3, 0, 0},
};

static struct lexicon_entry *lexicon_slot(struct lexicon *l, uint32_t hash)
{
	uint32_t at = (hash * 0x9e3779b1u) >> 20;
	while (l->slot[at].hash && l->slot[at].hash != hash)
		at = (at + 1) & (LEXICON_SLOTS - 1);
	l->slot[at].hash = hash;
	return &l->slot[at];
}

const struct lexicon_entry *lexicon_find(const struct lexicon *l, uint32_t hash)
{
	uint32_t at = (hash * 0x9e3779b1u) >> 20;
	for (; l->slot[at].hash; at = (at + 1) & (LEXICON_SLOTS - 1))
		if (l->slot[at].hash == hash)
			return &l->slot[at];
	return NULL;
}

uint32_t lexicon_pair(uint32_t first, uint32_t second)
{
	return (first * 31 + 17) ^ (second * 0x85ebca6bu);
}

static void lexicon_note(void *context, const struct word *w)
{
	uint32_t *hash = context;
	if (w->kind == WORD_TEXT)
		*hash = *hash ? lexicon_pair(*hash, w->hash) : w->hash;
}

/* Calls words_read for each of the words in `words`, so that they are hashed as those of a mail will be. */
static const char *lexicon_next(const char *words, uint32_t *hash)
{
	size_t n = strcspn(words, " ");
	*hash = 0;
	words_read(words, n, lexicon_note, hash);
	return words[n] ? words + n + 1 : NULL;
}

void lexicon_init(struct lexicon *l)
{
	uint32_t hash;
	memset(l, 0, sizeof *l);
	for (int i = 0; i < LEXICON_LANGUAGES; i++)
		for (const char *at = lexicon_common[i]; at;) {
			at = lexicon_next(at, &hash);
			lexicon_slot(l, hash)->languages |= (uint8_t)(1 << i);
		}
	for (size_t i = 0; i < sizeof lexicon_meaning / sizeof *lexicon_meaning; i++)
		for (const char *at = lexicon_meaning[i].words; at;) {
			at = lexicon_next(at, &hash);
			struct lexicon_entry *e = lexicon_slot(l, hash);
			e->sentiment = lexicon_meaning[i].sentiment ? lexicon_meaning[i].sentiment : e->sentiment;
			e->urgency = lexicon_meaning[i].urgency ? lexicon_meaning[i].urgency : e->urgency;
			e->negates |= lexicon_meaning[i].negates;
			e->amplifies |= lexicon_meaning[i].amplifies;
		}
}
