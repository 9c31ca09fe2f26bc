"""Support conversations full of personal data, with the exact place of every value: what the redaction is measured on.

All names, numbers and addresses are drawn, none is anybody's; numbers with a checksum carry a right one. Seeded: the
n-th conversation is the same whatever was drawn before. `conversations` draws from the templates below; `families`
from those of a file that groups them by voice and situation, so that rules can be judged on families they were not
written for.
"""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

Maker = Callable[[random.Random, "Customer"], str]


@dataclass(frozen=True)
class Locale:
    """How people of a country are called, live and telephone. In patterns # is a digit and @ a capital letter."""

    first: tuple[str, ...]
    last: tuple[str, ...]
    address: str
    streets: tuple[str, ...]
    towns: tuple[str, ...]
    postcode: str
    phones: tuple[str, ...]
    iban: str


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


LOCALES: dict[str, Locale] = {
    "en_GB": Locale(
        _words("Oliver Imogen Harriet Callum Priya Gareth Bethany Rhys Tamsin Alistair"),
        _words("Whitcombe Ashdown Pemberton Llewellyn Okafor Hargreaves Patel Thistleton Carmichael O'Sullivan"),
        "{number} {street}, {town} {postcode}",
        ("Sycamore Avenue", "Mill Lane", "Old Station Road", "Harcourt Terrace", "Bishop's Close", "Quarry Hill"),
        _words("Leeds Norwich Swansea Exeter Perth Durham"),
        "@@# #@@",
        ("07### ######", "+44 7### ######", "020 7### ####", "(0161) ### ####"),
        "GB##NWBK##############",
    ),
    "en_US": Locale(
        _words("Tyler Madison Hector Brianna Dwayne Kaitlyn Marcus Savannah Diego Loretta"),
        _words("Holloway Vasquez Drummond Castellanos Beckett Nakamura Prescott Ellison Washington Kowalczyk"),
        "{number} {street}, {town}, {state} {postcode}",
        ("Magnolia Drive", "Cedar Ridge Rd", "W 43rd Street", "Lakeview Blvd", "Chestnut Ave", "Pinecrest Court"),
        ("Tucson", "Baton Rouge", "Spokane", "Des Moines", "Akron", "Boise"),
        "#####",
        ("(###) 555-####", "###-555-####", "+1 ### 555 ####", "###.555.####"),
        "",
    ),
    "de_DE": Locale(
        _words("Jürgen Annika Thorsten Friederike Uwe Heike Matthias Swantje Karsten Gisela"),
        _words("Brinkmann Schäfer Oberhuber Lindemann Kröger Zimmermann Hoffmeister Wiesner Großmann Pfeiffer"),
        "{street} {number}, {postcode} {town}",
        ("Lindenstraße", "Am Mühlbach", "Goetheallee", "Bahnhofstr.", "Kastanienweg", "Marktplatz"),
        _words("Bremen Kassel Regensburg Mainz Rostock Ulm"),
        "#####",
        ("0### #######", "+49 17# #######", "0049 30 ########", "030/########"),
        "DE##################",
    ),
    "fr_FR": Locale(
        _words("Thibault Océane Gérard Solène Baptiste Maëlys Fabrice Noémie Yannick Clémence"),
        _words("Lefebvre Desrosiers Marchand Beaulieu Fontanelle Girardot Carpentier Roussel Chevallier Delacroix"),
        "{number} {street}, {postcode} {town}",
        ("rue des Tilleuls", "avenue Victor Hugo", "boulevard Saint-Michel", "place de la Mairie", "chemin des Vignes"),
        _words("Lyon Nantes Rennes Dijon Angers Metz"),
        "#####",
        ("06 ## ## ## ##", "+33 6 ## ## ## ##", "01 ## ## ## ##", "07.##.##.##.##"),
        "FR#########################",
    ),
    "es_ES": Locale(
        _words("Álvaro Rocío Joaquín Marisol Esteban Nuria Gonzalo Pilar Íñigo Carmen"),
        _words("Villanueva Carrasco Zamorano Etxeberria Montoya Salgado Quintana Ballesteros Iglesias Peñalver"),
        "{street} {number}, {postcode} {town}",
        ("Calle de la Luna", "Avenida del Mar", "Plaza Mayor", "Paseo de los Olivos", "Calle Serrano"),
        _words("Sevilla Bilbao Murcia Gijón Zaragoza Cádiz"),
        "#####",
        ("6## ### ###", "+34 6## ### ###", "91# ## ## ##"),
        "ES######################",
    ),
    "it_IT": Locale(
        _words("Giancarlo Ludovica Ettore Mirella Davide Fiorenza Alessio Ornella Tommaso Bianca"),
        _words("Bergamaschi Colonna Ferrante Grimaldi Sartori Pellegrino Marchetti Zanetti Benedetti Moretti"),
        "{street} {number}, {postcode} {town}",
        ("Via Garibaldi", "Corso Vittorio Emanuele", "Piazza del Popolo", "Viale dei Pini", "Via delle Rose"),
        _words("Torino Verona Lecce Modena Trieste Pisa"),
        "#####",
        ("3## #######", "+39 3## ### ####", "06 ########"),
        "",
    ),
    "nl_NL": Locale(
        _words("Sjoerd Marijke Bastiaan Femke Willem Annelies Joost Liesbeth Ruben Tineke"),
        ("van den Berg", "Hoekstra", "de Vries", "Schouten", "Verhoeven", "ter Braak", "Kuipers", "Dijkhuizen"),
        "{street} {number}, {postcode} {town}",
        ("Prinsengracht", "Dorpsstraat", "Kastanjelaan", "Stationsplein", "Molenweg", "Wilhelminakade"),
        _words("Utrecht Zwolle Haarlem Breda Groningen Delft"),
        "#### @@",
        ("06-########", "+31 6 ########", "020 ### ####"),
        "NL##ABNA##########",
    ),
    "pl_PL": Locale(
        _words("Zbigniew Małgorzata Grzegorz Agnieszka Wojciech Katarzyna Paweł Jadwiga Łukasz Bożena"),
        _words("Wiśniewska Kaczmarek Zieliński Dąbrowski Pawlak Sikora Baranowska Jabłoński Górecki Lewandowska"),
        "{street} {number}, {postcode} {town}",
        ("ul. Kwiatowa", "al. Jerozolimskie", "ul. Mickiewicza", "os. Słoneczne", "ul. Polna"),
        _words("Kraków Gdynia Lublin Poznań Toruń Opole"),
        "##-###",
        ("### ### ###", "+48 ### ### ###", "+48 ## ### ## ##"),
        "PL##########################",
    ),
}
STATES = _words("AZ LA WA IA OH ID")
HOSTS = _words("fastmail.example inboxes.example post-box.example mailing.example kundenpost.example")
# People whose names no list of this package was made from.
WORLD_FIRST = _words(
    "Yewande Kwabena Thandiwe Chidinma Nurlan Meruert Oğuzhan Tuğba Anahit Davit Saoirse Caoimhe Tadhg Lwazi Ngozi "
    "Ebubekir Zeynep Aroha Tevita Makoa Jisoo Seojun Thuận Phượng Gulnara Rustam Eero Aino Ásdís Björk Ilse-Marie Dagny"
)
WORLD_LAST = _words(
    "Adeyemi Boateng Mokoena Eze Abenov Sarsenova Doğan Çelik Hakobyan Gelashvili Ní-Bhriain MacGiolla Dlamini "
    "Okonkwo Karaca Tūhoe Taufahema Kealoha Bak Seong Trần Võ Yusupova Nazarov Rautio Salmela Jónsdóttir Guðmundsson"
)
CARRIERS = ("1Z################", "JD##################", "@@#########@@")


@dataclass(frozen=True)
class Customer:
    """One person, with the values that come again in a conversation."""

    locale: str
    first: str
    last: str
    email: str

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"

    @property
    def country(self) -> Locale:
        """How people of their country are called, live and telephone."""
        return LOCALES[self.locale]


def _filled(pattern: str, rng: random.Random) -> str:
    """The pattern with digits for # and capital letters for @; a number never begins with a nought."""
    text = re.sub("#", lambda _: str(rng.randrange(10)), pattern)
    text = re.sub("@", lambda _: rng.choice("ABCDEFGHJKLMNPRSTUWXYZ"), text)
    return f"{rng.randrange(1, 10)}{text[1:]}" if pattern.startswith("#") and text.startswith("0") else text


def _card(rng: random.Random, _: Customer) -> str:
    digits = [4 if rng.random() < 0.5 else 5, *(rng.randrange(10) for _ in range(14))]
    total = sum(d if i % 2 else (d * 2 - 9 if d > 4 else d * 2) for i, d in enumerate(digits))
    text = "".join(map(str, [*digits, -total % 10]))
    return rng.choice(
        (text, " ".join(text[i : i + 4] for i in range(0, 16, 4)), f"{text[:4]}-{text[4:8]}-{text[8:12]}-{text[12:]}")
    )


def _iban(rng: random.Random, customer: Customer) -> str:
    pattern = customer.country.iban or LOCALES["de_DE"].iban
    account = _filled(pattern[4:], rng)
    digits = "".join(str(int(c, 36)) for c in f"{account}{pattern[:2]}00")
    text = f"{pattern[:2]}{98 - int(digits) % 97:02d}{account}"
    return text if rng.random() < 0.5 else " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def _address(rng: random.Random, customer: Customer) -> str:
    country = customer.country
    return country.address.format(
        number=rng.randrange(1, 240),
        street=rng.choice(country.streets),
        town=rng.choice(country.towns),
        state=rng.choice(STATES),
        postcode=_filled(country.postcode, rng),
    )


def _national_id(rng: random.Random, customer: Customer) -> str:
    """A number of the customer's country with its right checksum; US social security numbers carry none."""
    from stdnum.es import dni
    from stdnum.fr import nir
    from stdnum.nl import bsn
    from stdnum.pl import pesel

    if customer.locale == "es_ES":
        number = _filled("########", rng)
        return f"{number}{dni.calc_check_digit(number)}"
    if customer.locale == "pl_PL":
        born = f"{rng.randrange(50, 99)}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}"
        number = f"{born}{_filled('####', rng)}"
        return f"{number}{pesel.calc_check_digit(number)}"
    if customer.locale == "nl_NL":
        return next(n for n in iter(lambda: _filled("#########", rng), "") if bsn.is_valid(n))
    if customer.locale == "fr_FR":
        born = f"{rng.choice('12')}{rng.randrange(50, 99)}{rng.randrange(1, 13):02d}"
        number = f"{born}75{_filled('######', rng)}"
        return f"{number}{nir.calc_check_digits(number)}"
    return f"{rng.randrange(100, 666)}-{rng.randrange(10, 99)}-{rng.randrange(1000, 9999)}"


def _obfuscated(rng: random.Random, customer: Customer) -> str:
    mailbox, host = customer.email.split("@")
    said = mailbox.replace(".", " dot ")
    return rng.choice((f"{said} at {host.replace('.', ' dot ')}", f"{mailbox} (at) {host}", f"{mailbox} [at] {host}"))


def _birth(rng: random.Random, _: Customer) -> str:
    day, month, year = rng.randrange(1, 29), rng.randrange(1, 13), rng.randrange(1945, 2005)
    return rng.choice((f"{day:02d}/{month:02d}/{year}", f"{year}-{month:02d}-{day:02d}", f"{day}.{month}.{year}"))


MAKERS: dict[str, tuple[str, Maker]] = {
    "name": ("PERSON", lambda _, c: c.name),
    "first": ("PERSON", lambda _, c: c.first),
    "lower": ("PERSON", lambda _, c: c.name.lower()),
    "other": ("PERSON", lambda rng, c: f"{rng.choice(c.country.first)} {rng.choice(c.country.last)}"),
    "email": ("EMAIL_ADDRESS", lambda _, c: c.email),
    "spelled": ("EMAIL_ADDRESS", _obfuscated),
    "phone": ("PHONE_NUMBER", lambda rng, c: _filled(rng.choice(c.country.phones), rng)),
    "address": ("STREET_ADDRESS", _address),
    "iban": ("IBAN_CODE", _iban),
    "card": ("CREDIT_CARD", _card),
    "ip": ("IP_ADDRESS", lambda rng, _: ".".join(str(rng.randrange(1, 255)) for _ in range(4))),
    "order": (
        "ORDER_ID",
        lambda rng, _: _filled(rng.choice(("ORD-######", "#########", "@@-####-####", "A########")), rng),
    ),
    "client": ("CUSTOMER_ID", lambda rng, _: _filled(rng.choice(("C#######", "KD-######", "########")), rng)),
    "ticket": ("TICKET_ID", lambda rng, _: _filled(rng.choice(("INC######", "#######", "CASE-#####")), rng)),
    "tracking": ("TRACKING_NUMBER", lambda rng, _: _filled(rng.choice(CARRIERS), rng)),
    "passport": ("PASSPORT", lambda rng, _: _filled(rng.choice(("@########", "@@#######")), rng)),
    "national": ("NATIONAL_ID", _national_id),
    "birth": ("DATE_OF_BIRTH", _birth),
    "user": ("USERNAME", lambda rng, c: f"{c.first.lower()}_{rng.randrange(10, 9999)}"),
}
"""Placeholder of a template -> entity type and maker."""

FAMILY_MAKERS: dict[str, tuple[str, Maker]] = {
    **MAKERS,
    "otherfirst": ("PERSON", lambda rng, c: rng.choice((*c.country.first, *WORLD_FIRST))),
    "agentname": ("PERSON", lambda rng, _: rng.choice((*LOCALES["en_GB"].first, *LOCALES["en_US"].first))),
    "last": ("PERSON", lambda _, c: c.last),
    "street": ("STREET_ADDRESS", lambda rng, c: _street(rng, c)),
    "towncode": ("STREET_ADDRESS", lambda rng, c: _town(rng, c)),
    "voiced": ("EMAIL_ADDRESS", lambda rng, c: _voiced(rng, c)),
    "misspelt": ("EMAIL_ADDRESS", lambda rng, c: _misspelt(rng, c)),
    "password": ("SECRET", lambda rng, _: _password(rng)),
    "token": ("SECRET", lambda rng, _: _token(rng)),
    "otp": ("SECRET", lambda rng, _: _filled("######", rng)),
    "cvv": ("SECRET", lambda rng, _: _filled("###", rng)),
    "expiry": ("SECRET", lambda rng, _: f"{rng.randrange(1, 13):02d}/{rng.randrange(26, 32)}"),
    "link": ("SECRET", lambda rng, _: _token(rng, "")),
    "profile": ("USERNAME", lambda rng, c: _profile(rng, c)),
    "plate": ("NUMBER_PLATE", lambda rng, c: _plate(rng, c)),
    "sortcode": ("BANK_CODE", lambda rng, _: _filled("##-##-##", rng)),
    "account": ("BANK_ACCOUNT", lambda rng, _: _filled("########", rng)),
    "coordinates": ("COORDINATES", lambda rng, _: f"{rng.uniform(36, 60):.5f}, {rng.uniform(-9, 24):.5f}"),
}
"""Placeholders of families: those of `MAKERS` and more. The value may take a form: `{name.lower}`, `{phone.head}`."""

FORMS: dict[str, Callable[[str], str]] = {
    "lower": str.lower,
    "upper": str.upper,
    "initial": lambda value: f"{value[0]}. {value.split(' ', 1)[1]}",
    "reversed": lambda value: ", ".join(reversed(value.split(" ", 1))),
    "last4": lambda value: re.sub(r"\D", "", value)[-4:],
    "head": lambda value: value[: _half(value)].rstrip(),
    "tail": lambda value: value[_half(value) :].lstrip(),
}

SAID = (
    "Hello, {name} here. Nothing has arrived at {address} so far.",
    "Please ring me on {phone}, I am in all afternoon.",
    "My order {order} shows as delivered, but it is not here.",
    "Could you refund it to {iban}? The account is in the name of {name}.",
    "I paid with the card {card} and was charged twice.",
    "Change my e-mail to {email}, please.",
    "You can write to me: {spelled}.",
    "The courier gave me {tracking} and the page knows nothing of it.",
    "my name is {lower} and i want to cancel",
    "I log in as {user} and get an error.",
    "Someone with the address {ip} was in my account.",
    "For the warranty you wanted my date of birth: {birth}.",
    "My passport number is {passport}, is that enough for the check?",
    "It is for my neighbour {other}, who is away.",
    "I opened ticket {ticket} last week and nobody answered.",
    "Customer number {client}, the contract runs out in May.",
    "Please send the replacement to {address} instead.",
    "Kind regards\n{name}",
    "Best,\n{first}",
    "My social security number is {national}.",
)
ASKED = (
    ("What is your order number?", "{order}"),
    ("May I have your telephone number?", "{phone}"),
    ("Could you give me the address for the delivery?", "{address}"),
    ("Who am I speaking with?", "{name}"),
    ("What is your customer number, please?", "It's {client}"),
    ("Which e-mail address did you sign up with?", "{email}"),
    ("Can you tell me your date of birth?", "{birth}"),
)
CLEAN = (
    "The lamp flickers after about 20 minutes.",
    "Does the 2024 model fit the old base?",
    "It costs 49.90 in the shop and 59.90 here, why?",
    "I waited 14 days for an answer.",
    "Is the discount of 25 % still valid in December?",
    "The app says error 503 when I open the basket.",
    "I would like two of the Halo Mini in white, not in black.",
    "Do you ship to Norway, and how long does that take?",
    "Thanks, that solved it.",
    "Your opening hours say Monday to Friday, 9 to 17.",
    "Can I pay with PayPal or only by card?",
    "I have version 3.14.2 on Android 15.",
    "The parcel weighs 2.5 kg and measures 40 x 30 x 20 cm.",
    "How do I reset the password?",
    "That is the third time this month, I am disappointed.",
    "Which bulb is brighter, 800 or 1,055 lumen?",
)
AGENT = (
    "Thank you, let me look that up for you.",
    "I am sorry for the trouble, {first}.",
    "I have found it: it leaves our warehouse tomorrow.",
    "Is there anything else I can do for you?",
)


def conversations(count: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """`count` conversations: `conversation_id`, `locale`, and `turns` with `full_text` and `spans`.

    A span has `entity_type`, `start_position`, `end_position` and `entity_value`. About a third of the customers'
    turns are clean.
    """
    for number in range(count):
        rng = random.Random(f"personal data {seed} {number}")
        customer = _customer(rng)
        templates: list[str] = []
        for _ in range(rng.randrange(2, 5)):
            draw = rng.random()
            if draw < 0.35:
                templates.append(rng.choice(CLEAN))
            elif draw < 0.6:
                templates += rng.choice(ASKED)
            else:
                templates.append(rng.choice(SAID))
            if rng.random() < 0.3:
                templates.append(rng.choice(AGENT))
        turns = [_turn(template, rng, customer) for template in templates]
        yield {"conversation_id": f"generated-{seed}-{number}", "locale": customer.locale, "turns": turns}


def _customer(rng: random.Random, locales: tuple[str, ...] = (), world: float = 0.0) -> Customer:
    """Somebody of one of the countries, `world` of them with a name from elsewhere."""
    locale = rng.choice(sorted(locales or LOCALES))
    first, last = rng.choice(LOCALES[locale].first), rng.choice(LOCALES[locale].last)
    if world and rng.random() < world:
        first, last = rng.choice(WORLD_FIRST), rng.choice(WORLD_LAST)
    plain = f"{first}.{last}".lower().translate(str.maketrans("äöüßáéíóúèñçłśżąęóńźć", "aousaeiouenclszaeonzc"))
    mailbox = re.sub(r"[^a-z.]", "", plain)
    return Customer(locale, first, last, f"{mailbox}{rng.randrange(1, 99)}@{rng.choice(HOSTS)}")


@dataclass(frozen=True)
class Family:
    """Conversations of one voice or situation, as templates; `locales` are its people's countries, all if empty."""

    name: str
    conversations: tuple[tuple[str, ...], ...]
    locales: tuple[str, ...] = ()


@cache
def read_families(part: Literal["tuned", "unseen"]) -> tuple[Family, ...]:
    """The families that the rules were written with in sight, or those that were written after them."""
    rows = yaml.safe_load((Path(__file__).with_name(f"personal_data_{part}.yaml")).read_text(encoding="utf-8"))
    return tuple(
        Family(row["family"], tuple(map(tuple, row["conversations"])), tuple(row.get("locales", ()))) for row in rows
    )


def families(part: Literal["tuned", "unseen"], draws: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Every conversation of every family `draws` times, each with other people and numbers.

    As `conversations` gives them, with `family` beside; a span of half a value carries `half`: True.
    """
    for family in read_families(part):
        for number, templates in enumerate(family.conversations):
            for draw in range(draws):
                rng = random.Random(f"family {seed} {family.name} {number} {draw}")
                customer = _customer(rng, family.locales, world=0.35)
                kept: dict[str, str] = {}
                yield {
                    "conversation_id": f"{family.name}-{number}-{draw}",
                    "family": family.name,
                    "locale": customer.locale,
                    "turns": [_family_turn(template, rng, customer, kept) for template in templates],
                }


def _family_turn(template: str, rng: random.Random, customer: Customer, kept: dict[str, str]) -> dict[str, Any]:
    """A turn of a family; `kept` holds the values of which a half was said, for the other half."""
    text, spans, last = "", [], 0
    for match in re.finditer(r"\{(\w+)(?:\.(\w+))?\}", template):
        entity, maker = FAMILY_MAKERS[match[1]]
        half = match[2] in ("head", "tail")
        whole = kept.setdefault(match[1], maker(rng, customer)) if half else maker(rng, customer)
        value = FORMS[match[2]](whole) if match[2] else whole
        before = template[last : match.start()]
        # A link is a secret in an address that is none.
        before += {"link": "https://shop.example/reset?token=", "profile": "https://www.linkedin.com/in/"}.get(
            match[1], ""
        )
        text += before
        spans.append(
            {
                "entity_type": entity,
                "start_position": len(text),
                "end_position": len(text) + len(value),
                "entity_value": value,
                "half": half,
            }
        )
        text += value
        last = match.end()
    return {"full_text": text + template[last:], "spans": spans}


def _half(value: str) -> int:
    """Where a value is cut in two: before its @, else at the space nearest to the middle, else in the middle."""
    if "@" in value:
        return value.index("@")
    spaces = [i for i, c in enumerate(value) if c == " "]
    return min(spaces, key=lambda i: abs(i - len(value) / 2)) if spaces else len(value) // 2


def _street(rng: random.Random, customer: Customer) -> str:
    number, street = rng.randrange(1, 240), rng.choice(customer.country.streets)
    return f"{number} {street}" if customer.country.address.startswith("{number}") else f"{street} {number}"


def _town(rng: random.Random, customer: Customer) -> str:
    town, code = rng.choice(customer.country.towns), _filled(customer.country.postcode, rng)
    return f"{town} {code}" if customer.locale.startswith("en") else f"{code} {town}"


def _voiced(rng: random.Random, customer: Customer) -> str:
    mailbox, host = customer.email.split("@")
    name = re.sub(r"\d+$", "", mailbox)
    said = name.replace(".", rng.choice((" dot ", " underscore ")))
    return f"{said} at {host.replace('.', ' dot ').replace('-', ' dash ')}"


def _misspelt(rng: random.Random, customer: Customer) -> str:
    mailbox, host = customer.email.split("@")
    return rng.choice(
        (
            f"{mailbox}@{host.replace('.', ',')}",
            f"{mailbox} @{host}",
            f"{mailbox}@ {host}",
            f"{mailbox}@{host.split('.')[0]}",
        )
    )


def _password(rng: random.Random) -> str:
    word = rng.choice(("Harbour", "tulip", "Mondlicht", "kestrel", "Camino", "winterfest"))
    return f"{word}{rng.choice(('!', '#', '_', ''))}{rng.randrange(10, 9999)}"


def _token(rng: random.Random, prefix: str | None = None) -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    start = rng.choice(("sk-live-", "ghp_", "xoxb-", "AIza")) if prefix is None else prefix
    return start + "".join(rng.choice(letters) for _ in range(36))


def _profile(rng: random.Random, customer: Customer) -> str:
    plain = customer.email.split("@")[0]
    return re.sub(r"\d+$", "", plain).replace(".", "-") + f"-{rng.randrange(100, 999999)}"


def _plate(rng: random.Random, customer: Customer) -> str:
    pattern = {
        "en_GB": "@@## @@@", "en_US": "#@@@###", "de_DE": "@@-@@ ####", "fr_FR": "@@-###-@@", "es_ES": "#### @@@",
        "it_IT": "@@ ###@@", "nl_NL": "@@-###-@", "pl_PL": "@@ #####",
    }[customer.locale]  # fmt: skip
    text = _filled(pattern, rng)
    # Spanish plates hold no vowels.
    return re.sub("[AEU]", "K", text) if customer.locale == "es_ES" else text


def _turn(template: str, rng: random.Random, customer: Customer) -> dict[str, Any]:
    text, spans, last = "", [], 0
    for match in re.finditer(r"\{(\w+)\}", template):
        entity, maker = MAKERS[match[1]]
        value = maker(rng, customer)
        text += template[last : match.start()]
        spans.append(
            {
                "entity_type": entity,
                "start_position": len(text),
                "end_position": len(text) + len(value),
                "entity_value": value,
            }
        )
        text += value
        last = match.end()
    return {"full_text": text + template[last:], "spans": spans}
