"""Small word lists from English into German, Spanish and French, of what customers write about. Written for this
project: enough for mixed and broken language as customers use it, and to look up what a question is about, no
translation."""

import re

_TABLE = """
how long does | wie lange dauert | cuánto tarda | combien de temps prend
how long | wie lange | cuánto tiempo | combien de temps
how much is | wie viel kostet | cuánto cuesta | combien coûte
how much | wie viel | cuánto | combien
how many | wie viele | cuántos | combien de
how do i | wie kann ich | cómo puedo | comment puis-je
how can i | wie kann ich | cómo puedo | comment puis-je
how | wie | cómo | comment
do you offer | bieten Sie | ofrecen | proposez-vous
do you sell | verkaufen Sie | venden | vendez-vous
do you have | haben Sie | tienen | avez-vous
do you | machen Sie | ustedes | est-ce que vous
do i need | brauche ich | necesito | ai-je besoin de
do i | muss ich | tengo que | dois-je
can i | kann ich | puedo | puis-je
can you | können Sie | pueden | pouvez-vous
may i | darf ich | puedo | puis-je
is there | gibt es | hay | y a-t-il
is it | ist es | es | est-ce
i want to | ich möchte | quiero | je veux
i would like to | ich möchte | me gustaría | je voudrais
i need | ich brauche | necesito | j'ai besoin de
i have | ich habe | tengo | j'ai
i got | ich habe bekommen | he recibido | j'ai reçu
i am | ich bin | estoy | je suis
i did not | ich habe nicht | yo no | je n'ai pas
does not work | funktioniert nicht | no funciona | ne marche pas
is not | ist nicht | no es | n'est pas
did not | hat nicht | no | n'a pas
not | nicht | no | pas
without | ohne | sin | sans
nobody | niemand | nadie | personne ne
never | nie | nunca | jamais
where is | wo ist | dónde está | où est
where do i | wo kann ich | dónde puedo | où puis-je
where can i | wo kann ich | dónde puedo | où puis-je
where | wo | dónde | où
when will | wann wird | cuándo | quand
when do i | wann bekomme ich | cuándo | quand
when | wann | cuándo | quand
which | welche | qué | quel
what is | was ist | qué es | quel est
what | was | qué | que
why is | warum ist | por qué está | pourquoi
why does | warum | por qué | pourquoi
why | warum | por qué | pourquoi
who | wer | quién | qui
does | macht | hace | est-ce que
is | ist | es | est
are | sind | son | sont
was | war | estaba | était
has | hat | ha | a
have | haben | tener | avoir
i | ich | yo | je
you | Sie | ustedes | vous
my | mein | mi | mon
your | Ihr | su | votre
it | es | lo | ça
the | die | el | le
a | eine | un | un
an | eine | un | un
and | und | y | et
or | oder | o | ou
for | für | para | pour
with | mit | con | avec
from | von | de | de
of | von | de | de
in | in | en | dans
on | auf | en | sur
to | zu | a | à
at | bei | en | à
after | nach | después de | après
before | vor | antes de | avant
still | noch | todavía | encore
too | auch | también | aussi
now | jetzt | ahora | maintenant
today | heute | hoy | aujourd'hui
tomorrow | morgen | mañana | demain
please | bitte | por favor | s'il vous plaît
thanks | danke | gracias | merci
hello | hallo | hola | bonjour
order | Bestellung | pedido | commande
orders | Bestellungen | pedidos | commandes
parcel | Paket | paquete | colis
package | Paket | paquete | colis
delivery | Lieferung | entrega | livraison
shipping | Versand | envío | livraison
address | Adresse | dirección | adresse
tracking | Sendungsverfolgung | seguimiento | suivi
late | spät | tarde | en retard
lost | verloren | perdido | perdu
arrive | ankommen | llegar | arriver
arrived | angekommen | llegado | arrivé
refund | Rückerstattung | reembolso | remboursement
return | zurückgeben | devolver | retourner
exchange | umtauschen | cambiar | échanger
money | Geld | dinero | argent
back | zurück | de vuelta | en retour
pay | bezahlen | pagar | payer
payment | Zahlung | pago | paiement
invoice | Rechnung | factura | facture
receipt | Quittung | recibo | reçu
price | Preis | precio | prix
cost | kosten | costar | coûter
costs | Kosten | costes | frais
free | kostenlos | gratis | gratuit
discount | Rabatt | descuento | remise
voucher | Gutschein | vale | bon
gift card | Gutschein | tarjeta regalo | carte cadeau
card | Karte | tarjeta | carte
bank | Bank | banco | banque
account | Konto | cuenta | compte
password | Passwort | contraseña | mot de passe
e-mail | E-Mail | correo | e-mail
newsletter | Newsletter | boletín | newsletter
subscription | Abo | suscripción | abonnement
contract | Vertrag | contrato | contrat
cancel | kündigen | cancelar | annuler
change | ändern | cambiar | changer
delete | löschen | borrar | supprimer
close | schließen | cerrar | fermer
reset | zurücksetzen | restablecer | réinitialiser
forgot | vergessen | olvidé | oublié
update | Update | actualización | mise à jour
warranty | Garantie | garantía | garantie
repair | reparieren | reparar | réparer
broken | kaputt | roto | cassé
damaged | beschädigt | dañado | endommagé
defect | Defekt | defecto | défaut
wrong | falsch | equivocado | mauvais
missing | fehlt | falta | manque
part | Teil | pieza | pièce
parts | Teile | piezas | pièces
box | Karton | caja | boîte
lamp | Lampe | lámpara | lampe
lamps | Lampen | lámparas | lampes
light | Licht | luz | lumière
bulb | Glühbirne | bombilla | ampoule
red | rot | rojo | rouge
phone | Handy | móvil | téléphone
app | App | aplicación | application
connect | verbinden | conectar | connecter
switch | Schalter | interruptor | interrupteur
store | Laden | tienda | magasin
stores | Läden | tiendas | magasins
shop | Laden | tienda | boutique
open | offen | abierto | ouvert
opening hours | Öffnungszeiten | horario | horaires
company | Firma | empresa | entreprise
customer | Kunde | cliente | client
help | Hilfe | ayuda | aide
problem | Problem | problema | problème
question | Frage | pregunta | question
answer | Antwort | respuesta | réponse
time | Zeit | tiempo | temps
day | Tag | día | jour
days | Tage | días | jours
week | Woche | semana | semaine
month | Monat | mes | mois
year | Jahr | año | an
years | Jahre | años | ans
buy | kaufen | comprar | acheter
bought | gekauft | comprado | acheté
send | schicken | enviar | envoyer
get | bekommen | recibir | recevoir
find | finden | encontrar | trouver
use | benutzen | usar | utiliser
work | funktionieren | funcionar | fonctionner
new | neu | nuevo | nouveau
old | alt | viejo | vieux
"""

LANGUAGES = ("de", "es", "fr")
GLOSSARIES: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
"""Language to English words (lower case, at most three) to their translation."""
for _line in _TABLE.strip().splitlines():
    _english, *_others = (cell.strip() for cell in _line.split("|"))
    for _language, _word in zip(LANGUAGES, _others, strict=True):
        GLOSSARIES[_language][_english] = _word

_BACK: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
for _language, _words in GLOSSARIES.items():
    for _english, _word in _words.items():
        _BACK[_language].setdefault(_word.lower(), _english)
_FOREIGN = {
    language: re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(words, key=len, reverse=True)))})(?!\w)")
    for language, words in _BACK.items()
}


def glossed(text: str, language: str) -> str:
    """A text in small letters with what the word list knows of it in English, the rest as it is: enough to look up what
    it is about. Of a language without a list the text as it is."""
    if language not in _FOREIGN:
        return text
    return _FOREIGN[language].sub(lambda match: _BACK[language][match[0]], text.lower())
