#include "provisioning/auditor/report_text.h"

#include <array>
#include <chrono>

#include "vault/base/check.h"

namespace cardvault::auditor {
namespace {

constexpr std::size_t kLanguages = 3;
constexpr std::array<std::string_view, kLanguages> kCodes = {"en", "ru", "kk"};
constexpr std::string_view kNoBreak = "\u00A0";

using Texts = std::array<std::string_view, kLanguages>;
constexpr std::array<Texts, static_cast<std::size_t>(Say::kLast_)> kTexts = {{
    {"Card vault: report on the audit log", "Хранилище карт: отчёт по журналу аудита",
     "Карта қоймасы: аудит журналы бойынша есеп"},
    {"Period", "Период", "Кезең"},
    {"Drawn up", "Составлен", "Жасалған уақыты"},
    {"Log", "Журнал", "Журнал"},
    {"The log is verified", "Журнал прошёл проверку", "Журнал тексеруден өтті"},
    {"Every record and every hash was checked against the signed checkpoint. No record was "
     "changed, removed, inserted or moved.",
     "Каждая запись и каждый хеш сверены с подписанной контрольной точкой. Ни одна запись не "
     "изменена, не удалена, не добавлена и не перемещена.",
     "Әрбір жазба мен әрбір хеш қол қойылған бақылау нүктесімен салыстырылды. Бірде-бір жазба "
     "өзгертілмеген, жойылмаған, қосылмаған және орны ауыстырылмаған."},
    {"The log is NOT verified", "Журнал НЕ прошёл проверку", "Журнал тексеруден ӨТПЕДІ"},
    {"This report holds no figures: they could be false. What was found:",
     "Отчёт не содержит показателей: они могут быть недостоверны. Обнаружено:",
     "Есепте көрсеткіштер жоқ: олар дұрыс болмауы мүмкін. Анықталғаны:"},
    {"Records", "Записей", "Жазбалар саны"},
    {"Root hash", "Корневой хеш", "Түбірлік хеш"},
    {"Verification key", "Ключ проверки", "Тексеру кілті"},
    {"In a lost key's place, by the custodians' quorum",
     "Взамен утраченного ключа, по решению кворума хранителей",
     "Жоғалған кілттің орнына, сақтаушылар кворумының шешімімен"},
    {"Signed checkpoint", "Подписанная контрольная точка", "Қол қойылған бақылау нүктесі"},
    {"Continues the kept checkpoints", "Продолжает сохранённые контрольные точки",
     "Сақталған бақылау нүктелерінің жалғасы"},
    {"Events", "События", "Оқиғалар"},
    {"Cards stored", "Сохранение карт", "Карталарды сақтау"},
    {"Reveals", "Раскрытие номеров", "Нөмірлерді ашу"},
    {"Refusals", "Отказы", "Бас тартулар"},
    {"Alarms", "Сигналы тревоги", "Дабылдар"},
    {"Lockouts", "Блокировки", "Бұғаттаулар"},
    {"Operations over time", "Операции по времени", "Уақыт бойынша операциялар"},
    {"Refusals over time", "Отказы по времени", "Уақыт бойынша бас тартулар"},
    {"cards stored", "сохранение карт", "карталарды сақтау"},
    {"cards sent again", "повторно присланные карты", "қайта жіберілген карталар"},
    {"reveals", "раскрытие номеров", "нөмірлерді ашу"},
    {"codes and passwords", "коды и пароли", "кодтар мен құпиясөздер"},
    {"other", "прочее", "басқалары"},
    {"refusals", "отказы", "бас тартулар"},
    {"The same as a table", "То же в виде таблицы", "Кесте түрінде"},
    {"From", "Начало", "Басталуы"},
    {"By operation", "По операциям", "Операциялар бойынша"},
    {"Operation", "Операция", "Операция"},
    {"Done", "Выполнено", "Орындалды"},
    {"Refusals by reason", "Отказы по причинам", "Бас тарту себептері бойынша"},
    {"Reason", "Причина", "Себебі"},
    {"Number", "Количество", "Саны"},
    {"First", "Первое", "Біріншісі"},
    {"Last", "Последнее", "Соңғысы"},
    {"Reveals per client, against its budget", "Раскрытие номеров по клиентам и их лимиты",
     "Клиенттер бойынша нөмірлерді ашу және олардың лимиттері"},
    {"Client", "Клиент", "Клиент"},
    {"In the clear", "В открытом виде", "Ашық түрде"},
    {"Sealed", "Для получателя", "Алушыға арналған"},
    {"Busiest day", "Максимум за сутки", "Тәуліктегі ең көбі"},
    {"Daily budget", "Суточный лимит", "Тәуліктік лимит"},
    {"Busiest hour", "Максимум за час", "Сағаттағы ең көбі"},
    {"Hourly budget", "Часовой лимит", "Сағаттық лимит"},
    {"Refused over budget", "Отказано сверх лимита", "Лимиттен тыс бас тартылды"},
    {"Budgets are not in the log. <code>cardvault audit report --vault</code> asks the vault for "
     "them.",
     "Лимитов в журнале нет. Их сообщает хранилище: <code>cardvault audit report --vault</code>.",

     "Лимиттер журналда жоқ. Оларды қойма хабарлайды: <code>cardvault audit report "
     "--vault</code>."},
    {"none set", "не задан", "белгіленбеген"},
    {"Lockouts and alarms", "Блокировки и сигналы тревоги", "Бұғаттаулар мен дабылдар"},
    {"What", "Что", "Не болды"},
    {"Key inventory", "Перечень ключей", "Кілттер тізбесі"},
    {"Key", "Ключ", "Кілт"},
    {"Kind", "Вид", "Түрі"},
    {"Check value (KCV)", "Контрольное значение (KCV)", "Бақылау мәні (KCV)"},
    {"State", "Состояние", "Күйі"},
    {"Since", "Действует с", "Қолданыла бастады"},
    {"Cryptoperiod ends", "Конец срока действия", "Қолданылу мерзімінің соңы"},
    {"Taken out of use", "Выведен из обращения", "Қолданыстан шығарылған күні"},
    {"Rotations, retirements and destructions", "Смена, вывод и уничтожение ключей",
     "Кілттерді ауыстыру, қолданыстан шығару және жою"},
    {"HSMs that served, and when they began to", "HSM, работавшие с хранилищем, и начало их работы",
     "Қоймамен жұмыс істеген HSM және олардың іске қосылуы"},
    {"Model", "Модель", "Моделі"},
    {"Serial number", "Серийный номер", "Сериялық нөмірі"},
    {"Firmware", "Прошивка", "Микробағдарламасы"},
    {"Device", "Устройство", "Құрылғы"},
    {"Acts of key custodians, and approvals", "Действия хранителей ключей и согласования",
     "Кілт сақтаушыларының әрекеттері және келісулер"},
    {"Acts of operators", "Действия операторов", "Операторлардың әрекеттері"},
    {"Access to the log", "Обращения к журналу", "Журналға қол жеткізу"},
    {"Clients and their permissions", "Клиенты и их права", "Клиенттер және олардың құқықтары"},
    {"Changes of clients", "Изменения клиентов", "Клиенттердегі өзгерістер"},
    {"Permissions", "Права", "Құқықтары"},
    {"Purposes", "Цели", "Мақсаттары"},
    {"Who", "Кто", "Кім"},
    {"Resource", "Объект", "Нысан"},
    {"Outcome", "Результат", "Нәтиже"},
    {"Time, UTC", "Время, UTC", "Уақыты, UTC"},
    {"Record", "Запись", "Жазба"},
    {"None in this period.", "За этот период записей нет.", "Бұл кезеңде жоқ."},
    {"More that are not listed here (<code>cardvault-audit find</code> shows them):",
     "Не показано здесь (выводит <code>cardvault-audit find</code>):",
     "Мұнда көрсетілмегені (<code>cardvault-audit find</code> шығарады):"},
    {"All times are UTC. Drawn up from the published log alone.",
     "Всё время указано по UTC. Отчёт составлен только по опубликованному журналу.",
     "Барлық уақыт UTC бойынша. Есеп тек жарияланған журнал негізінде жасалды."},
    {"All times are UTC. Drawn up from the published log; key states, cryptoperiods, budgets and "
     "permissions are as the vault stated them on",
     "Всё время указано по UTC. Отчёт составлен по опубликованному журналу; состояния и сроки "
     "действия ключей, лимиты и права приведены по данным хранилища на",
     "Барлық уақыт UTC бойынша. Есеп жарияланған журнал негізінде жасалды; кілттердің күйі мен "
     "мерзімдері, лимиттер және құқықтар қойманың мына уақыттағы дерегі бойынша:"},
    {"active", "действует", "қолданыста"},
    {"decrypts only", "только расшифрование", "тек шифрды ашады"},
    {"retired", "выведен", "қолданыстан шығарылған"},
    {"destroyed", "уничтожен", "жойылған"},
    {"frozen", "приостановлен", "тоқтата тұрылған"},
    {"revoked", "отозван", "кері қайтарылған"},
    {"hardware", "аппаратное", "аппараттық"},
    {"software token: not a secure cryptographic device",
     "программный токен: не является защищённым криптографическим устройством",
     "бағдарламалық токен: қорғалған криптографиялық құрылғы емес"},
    {"There are no events in this period.", "За этот период событий нет.",
     "Бұл кезеңде оқиғалар жоқ."},
    {"Records that are no events:", "Записей, не являющихся событиями:",
     "Оқиға болып табылмайтын жазбалар:"},
}};

constexpr std::array<Texts, 12> kMonths = {{{"January", "января", "қаңтар"},
                                            {"February", "февраля", "ақпан"},
                                            {"March", "марта", "наурыз"},
                                            {"April", "апреля", "сәуір"},
                                            {"May", "мая", "мамыр"},
                                            {"June", "июня", "маусым"},
                                            {"July", "июля", "шілде"},
                                            {"August", "августа", "тамыз"},
                                            {"September", "сентября", "қыркүйек"},
                                            {"October", "октября", "қазан"},
                                            {"November", "ноября", "қараша"},
                                            {"December", "декабря", "желтоқсан"}}};

std::string padded(unsigned number, std::size_t width = 2) {
  std::string text = std::to_string(number);
  return text.size() < width ? text.insert(0, width - text.size(), '0') : text;
}

struct Day {
  unsigned year, month, day;
  std::int64_t ms_of_day;
};
Day day_of(std::int64_t unix_ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> when{milliseconds(unix_ms)};
  const auto midnight = floor<days>(when);
  const year_month_day date{midnight};
  return {static_cast<unsigned>(static_cast<int>(date.year())), static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()), (when - midnight).count()};
}

}  // namespace

std::optional<Language> parse_language(std::string_view code) {
  for (std::size_t i = 0; i < kLanguages; ++i) {
    if (kCodes[i] == code) return static_cast<Language>(i);
  }
  return std::nullopt;
}

std::string_view language_code(Language language) {
  return kCodes[static_cast<std::size_t>(language)];
}

std::string_view say(Language language, Say what) {
  const std::string_view text =
      kTexts[static_cast<std::size_t>(what)][static_cast<std::size_t>(language)];
  CARDVAULT_CHECK(!text.empty());
  return text;
}

std::string number_text(Language language, std::uint64_t number) {
  std::string text = std::to_string(number);
  const std::string_view mark = language == Language::kEnglish ? "," : kNoBreak;
  for (std::size_t at = text.size(); at > 3;) {
    at -= 3;
    text.insert(at, mark);
  }
  return text;
}

std::string long_date(Language language, std::int64_t unix_ms) {
  const Day when = day_of(unix_ms);
  const std::string year = std::to_string(when.year), day = std::to_string(when.day);
  const std::string month(kMonths[when.month - 1][static_cast<std::size_t>(language)]);
  const std::string gap(kNoBreak);
  switch (language) {
    case Language::kEnglish:
      return day + gap + month + gap + year;
    case Language::kRussian:
      return day + gap + month + gap + year + gap + "г.";
    case Language::kKazakh:
      break;
  }
  return year + gap + "ж." + gap + day + gap + month;
}

std::string short_date(Language language, std::int64_t unix_ms, bool with_time) {
  const Day when = day_of(unix_ms);
  std::string text = language == Language::kEnglish
                         ? padded(when.year, 4) + "-" + padded(when.month) + "-" + padded(when.day)
                         : padded(when.day) + "." + padded(when.month) + "." + padded(when.year, 4);
  if (!with_time) return text;
  const auto seconds = static_cast<unsigned>(when.ms_of_day / 1000);
  return text + std::string(kNoBreak) + padded(seconds / 3600) + ":" + padded(seconds / 60 % 60) +
         ":" + padded(seconds % 60);
}

}  // namespace cardvault::auditor
