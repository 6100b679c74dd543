#!/usr/bin/env python3
"""Write tests/data/mail: small mails of our own, one trigger each, and MANIFEST.tsv beside it (the folder holds mail only,
so that it can be imported as it is).

Usage: make_mail.py            write them
       make_mail.py --check    compare them with what would be written; exit status 1 and a line for each that differs

The same files come out every time, byte for byte; a test runs this and compares. Standard library only. Bytes are put
together by hand, because what matters here is what mail libraries would not write. All names are invented, all domains
are below .example (RFC 2606).

MANIFEST.tsv: file, trigger, subject, from (address), attachments (names, "; " between), found (a word that must be in
the text), absent (a word that must not be). An empty cell asks nothing. Files *.mbox hold several mails and have
no expectations but found, a word for each mail, "; " between.
"""
import base64
import os
import quopri
import sys
import zlib

ROWS = []
FILES = {}


def add(name, trigger, data, subject="", sender="", attachments=(), found="", absent=""):
    if isinstance(data, str):
        data = data.encode()
    assert name not in FILES, name
    FILES[name] = data
    ROWS.append((name, trigger, subject, sender, "; ".join(attachments), found, absent))


def crlf(text):
    if isinstance(text, str):
        text = text.encode()
    return text.replace(b"\n", b"\r\n")


def b64(data, width=76, eol="\n"):
    if isinstance(data, str):
        data = data.encode()
    text = base64.b64encode(data).decode()
    return eol.join(text[i:i + width] for i in range(0, len(text), width)) + eol


def qp(data):
    if isinstance(data, str):
        data = data.encode()
    return quopri.encodestring(data).decode()


def word(text, charset="utf-8", encoding="B"):
    data = text.encode(charset)
    if encoding == "B":
        return "=?%s?B?%s?=" % (charset, base64.b64encode(data).decode())
    quoted = "".join(chr(c) if chr(c).isalnum() and c < 128 else "_" if c == 32 else "=%02X" % c for c in data)
    return "=?%s?Q?%s?=" % (charset, quoted)


def head(number, sender, to, subject, date="Tue, 14 Oct 2025 09:%02d:00 +0200", extra=""):
    """The fields that every mail has; `number` makes date and identifier."""
    if "%02d" in date:
        date = date % (number % 60)
    return ("Received: from mx.courrier.example (mx.courrier.example [192.0.2.25])\n"
            "\tby archive.lanterne.example (Postfix) with ESMTPS id 4Zk%05d\n"
            "\tfor <archive@lanterne.example>; %s\n"
            "Message-ID: <%05d.essai@lanterne.example>\n"
            "Date: %s\nFrom: %s\nTo: %s\nSubject: %s\n%s"
            "MIME-Version: 1.0\n") % (number, date, number, date, sender, to, subject, extra)


PLAIN = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"


def multipart(kind, boundary, *parts, params="", closed=True):
    out = "Content-Type: multipart/%s; boundary=\"%s\"%s\n\n" % (kind, boundary, params)
    for part in parts:
        out += "--%s\n%s\n" % (boundary, part.rstrip("\n"))
    return out + ("--%s--\n" % boundary if closed else "")


def text_part(text, subtype="plain", fields=""):
    return "Content-Type: text/%s; charset=utf-8\nContent-Transfer-Encoding: 8bit\n%s\n%s" % (subtype, fields, text)


def file_part(name, media_type, data, disposition="attachment", fields=""):
    return ("Content-Type: %s; name=\"%s\"\nContent-Disposition: %s; filename=\"%s\"\n"
            "Content-Transfer-Encoding: base64\n%s\n%s") % (media_type, name, disposition, name, fields, b64(data))


def pdf(*lines):
    """A small valid PDF of one page with these lines (Latin-1)."""
    content = b"BT /F1 12 Tf 60 780 Td 16 TL\n"
    for line in lines:
        escaped = line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)").encode("latin-1")
        content += b"(" + escaped + b") Tj T*\n"
    content += b"ET\n"
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>",
               b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
               b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
               b" /Resources << /Font << /F1 5 0 R >> >> >>",
               b"<< /Length %d >>\nstream\n%sendstream" % (len(content), content),
               b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"]
    out = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return out + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)


def png(width, height, red, green, blue):
    """A one-coloured picture."""
    def chunk(kind, data):
        return (len(data).to_bytes(4, "big") + kind + data + (zlib.crc32(kind + data) & 0xffffffff).to_bytes(4, "big"))
    rows = (b"\0" + bytes((red, green, blue)) * width) * height
    # Stored, not compressed: zlib versions differ in what they make of the same input.
    stored = b"\x78\x01" + b"\x01" + len(rows).to_bytes(2, "little") + (len(rows) ^ 0xffff).to_bytes(2, "little") + rows
    stored += zlib.adler32(rows).to_bytes(4, "big")
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", stored) + chunk(b"IEND", b"")


def der(tag, *contents):
    body = b"".join(contents)
    size = len(body)
    if size < 128:
        length = bytes([size])
    else:
        raw = size.to_bytes((size.bit_length() + 7) // 8, "big")
        length = bytes([0x80 | len(raw)]) + raw
    return bytes([tag]) + length + body


def oid(*numbers):
    out = [numbers[0] * 40 + numbers[1]]
    for number in numbers[2:]:
        piece = [number & 0x7f]
        while number >= 128:
            number >>= 7
            piece.insert(0, 0x80 | (number & 0x7f))
        out += piece
    return der(6, bytes(out))


def signed_data(content):
    """CMS SignedData (RFC 5652) around `content`, without signers: readable without any key."""
    inner = der(0x30, oid(1, 2, 840, 113549, 1, 7, 1), der(0xa0, der(4, content)))
    signed = der(0x30, der(2, b"\x01"), der(0x31), inner, der(0x31))
    return der(0x30, oid(1, 2, 840, 113549, 1, 7, 2), der(0xa0, signed))


def enveloped_data():
    """The outline of CMS EnvelopedData with rubbish for a key and a content."""
    encrypted = der(0x30, oid(1, 2, 840, 113549, 1, 7, 1), der(0x30, oid(2, 16, 840, 1, 101, 3, 4, 1, 42)),
                    der(0x80, bytes((i * 73 + 5) % 256 for i in range(96))))
    body = der(0x30, der(2, b"\x00"), der(0x31), encrypted)
    return der(0x30, oid(1, 2, 840, 113549, 1, 7, 3), der(0xa0, body))


# ── business mail: what a first look at an archive shows ─────────────────────────────────────────────────────────────

def business():
    claire = "Claire Fontanel <claire.fontanel@lanterne.example>"
    hugo = word("Hugo Béranger") + " <hugo.beranger@lanterne.example>"
    menuiserie = "Menuiserie Vasseur <contact@menuiserie-vasseur.example>"
    assurance = "\"Dubreuil, Assurances\" <sinistres@dubreuil-assurances.example>"

    devis = pdf("Menuiserie Vasseur", "Devis 2025-0417", "12 fenêtres en chêne, pose comprise", "Total TTC : 18 640,00 EUR")
    add("affaire-01-devis.eml", "business: a quotation with a PDF", head(
        1, menuiserie, claire, word("Devis 2025-0417 : fenêtres du siège"),
        date="Mon, 06 Oct 2025 08:41:00 +0200") + multipart(
            "mixed", "=_devis",
            text_part("Bonjour Madame Fontanel,\n\nComme convenu lors de la visite de jeudi, veuillez trouver notre devis\n"
                      "pour le remplacement de douze fenêtres en chêne, pose comprise. Il est\nvalable soixante jours.\n\n"
                      "Restant à votre disposition,\n\nPaul Vasseur\nMenuiserie Vasseur\n"),
            file_part("devis-2025-0417.pdf", "application/pdf", devis)),
        subject="Devis 2025-0417 : fenêtres du siège", sender="contact@menuiserie-vasseur.example",
        attachments=["devis-2025-0417.pdf"], found="soixante")
    add("affaire-02-question.eml", "business: the thread goes on", head(
        2, claire, menuiserie, "Re: " + word("Devis 2025-0417 : fenêtres du siège"),
        date="Mon, 06 Oct 2025 11:05:00 +0200",
        extra="Cc: %s\nIn-Reply-To: <00001.essai@lanterne.example>\nReferences: <00001.essai@lanterne.example>\n" % hugo)
        + PLAIN + "\nBonjour Monsieur Vasseur,\n\nMerci pour votre devis. Le délai de livraison n'y figure pas : pouvez-vous\n"
        "poser avant la mi-décembre ? Hugo, en copie, suit le chantier.\n\nCordialement,\nClaire Fontanel\n\n"
        "Le lun. 6 oct. 2025 à 08:41, Menuiserie Vasseur\n<contact@menuiserie-vasseur.example> a écrit :\n\n"
        "> Comme convenu lors de la visite de jeudi, veuillez trouver notre devis\n"
        "> pour le remplacement de douze fenêtres en chêne, pose comprise.\n",
        subject="Re: Devis 2025-0417 : fenêtres du siège", sender="claire.fontanel@lanterne.example", found="mi-décembre")
    add("affaire-03-commande.eml", "business: an order confirms the quotation", head(
        3, hugo, menuiserie, "Re: " + word("Devis 2025-0417 : fenêtres du siège"),
        date="Wed, 08 Oct 2025 16:22:00 +0200",
        extra="Cc: %s\nIn-Reply-To: <00002.essai@lanterne.example>\n"
              "References: <00001.essai@lanterne.example>\n <00002.essai@lanterne.example>\n" % claire)
        + multipart("mixed", "=_commande",
                    text_part("Bonjour,\n\nBon pour accord. Vous trouverez ci-joint notre bon de commande BC-2025-118.\n"
                              "L'acompte de 30 % part aujourd'hui.\n\nHugo Béranger\nServices généraux\n"),
                    file_part("bon-de-commande-BC-2025-118.pdf", "application/pdf",
                              pdf("Lanterne SA", "Bon de commande BC-2025-118", "Selon devis 2025-0417"))),
        subject="Re: Devis 2025-0417 : fenêtres du siège", sender="hugo.beranger@lanterne.example",
        attachments=["bon-de-commande-BC-2025-118.pdf"], found="acompte")
    add("affaire-04-facture.eml", "business: an invoice in HTML and plain text with a CSV", head(
        4, "Comptoir du Papier <factures@comptoir-papier.example>", "compta@lanterne.example",
        "Facture F-2025-3391", date="Thu, 02 Oct 2025 07:15:00 +0200") + multipart(
            "mixed", "=_facture",
            multipart("alternative", "=_facture2",
                      text_part("Bonjour,\n\nVotre facture F-2025-3391 d'un montant de 412,80 EUR est jointe.\n"
                                "Échéance : 31 octobre 2025.\n"),
                      text_part("<html><body><p>Bonjour,</p><p>Votre facture <b>F-2025-3391</b> d'un montant de "
                                "412,80 EUR est jointe.<br>&Eacute;ch&eacute;ance&nbsp;: 31 octobre 2025.</p></body></html>",
                                "html")),
            file_part("lignes.csv", "text/csv; charset=utf-8",
                      "article;quantité;prix\nramette A4 vergée;40;6,90\nenveloppes kraft;12;11,40\n"),
            file_part("F-2025-3391.pdf", "application/pdf", pdf("Comptoir du Papier", "Facture F-2025-3391", "412,80 EUR"))),
        subject="Facture F-2025-3391", sender="factures@comptoir-papier.example",
        attachments=["lignes.csv", "F-2025-3391.pdf"], found="vergée")
    add("affaire-05-reunion.eml", "business: an invitation with a calendar part", head(
        5, claire, hugo, word("Comité de pilotage du 21 octobre"), date="Tue, 07 Oct 2025 09:30:00 +0200") + multipart(
            "alternative", "=_reunion",
            text_part("Le prochain comité de pilotage se tient le mardi 21 octobre à 14 h 30.\nOrdre du jour : budget, "
                      "déménagement, recrutement.\n"),
            "Content-Type: text/calendar; charset=utf-8; method=REQUEST\nContent-Transfer-Encoding: 8bit\n\n"
            "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//lanterne.example//essai//FR\nMETHOD:REQUEST\nBEGIN:VEVENT\n"
            "UID:pilotage-20251021@lanterne.example\nDTSTART:20251021T123000Z\nDTEND:20251021T140000Z\n"
            "SUMMARY:Comité de pilotage\nLOCATION:Salle Camargue\nEND:VEVENT\nEND:VCALENDAR\n"),
        subject="Comité de pilotage du 21 octobre", sender="claire.fontanel@lanterne.example", found="Camargue")
    add("affaire-06-sinistre.eml", "business: photographs shown in the text", head(
        6, "accueil@lanterne.example", assurance, word("Dégât des eaux, dossier 77-1203"),
        date="Fri, 10 Oct 2025 17:48:00 +0200") + multipart(
            "related", "=_sinistre",
            text_part("<p>Bonjour,</p><p>Voici l'état du plafond ce matin&nbsp;:</p><p><img src=\"cid:plafond@lanterne.example\" "
                      "alt=\"plafond taché\"></p><p>L'expert peut passer lundi. Le dossier porte le "
                      "n&deg;&nbsp;77-1203.</p>", "html"),
            file_part("plafond.png", "image/png", png(24, 16, 180, 160, 120), "inline",
                      "Content-ID: <plafond@lanterne.example>\n"), params="; type=\"text/html\""),
        subject="Dégât des eaux, dossier 77-1203", sender="accueil@lanterne.example", attachments=["plafond.png"],
        found="expert")
    add("affaire-07-transfert.eml", "business: a mail forwarded as an attachment", head(
        7, hugo, claire, word("Tr : résiliation du contrat de ménage"), date="Mon, 13 Oct 2025 10:12:00 +0200") + multipart(
            "mixed", "=_transfert",
            text_part("Claire,\n\npour information, reçu ce matin. On en parle ?\n\nHugo\n"),
            "Content-Type: message/rfc822\nContent-Disposition: attachment; filename=\"resiliation.eml\"\n\n"
            "From: Net & Clair <gestion@net-et-clair.example>\nTo: hugo.beranger@lanterne.example\n"
            "Date: Mon, 13 Oct 2025 08:02:00 +0200\nSubject: %s\nMessage-ID: <menage-5@net-et-clair.example>\n"
            "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n%s"
            % (word("Votre résiliation", "iso-8859-1", "Q"),
               "Nous prenons acte de la r=E9siliation au 31 d=E9cembre, avec un pr=E9avis\nde deux mois.\n")),
        subject="Tr : résiliation du contrat de ménage", sender="hugo.beranger@lanterne.example",
        attachments=["resiliation.eml"], found="préavis")
    add("affaire-08-candidature.eml", "business: an application with an accented file name (RFC 2231)", head(
        8, word("Maëlle Kergoat") + " <maelle.kergoat@poste.example>", "rh@lanterne.example",
        word("Candidature : chargée d'études"), date="Sun, 12 Oct 2025 21:37:00 +0200") + multipart(
            "mixed", "=_cv",
            text_part("Madame, Monsieur,\n\nActuellement en poste à Quimper, je souhaite rejoindre votre bureau d'études\n"
                      "à partir de janvier. Mon curriculum est joint.\n\nMaëlle Kergoat\n"),
            "Content-Type: application/pdf\nContent-Disposition: attachment;\n"
            " filename*0*=utf-8''Curriculum%20de%20Ma%C3%ABlle;\n filename*1*=%20Kergoat.pdf\n"
            "Content-Transfer-Encoding: base64\n\n" + b64(pdf("Maëlle Kergoat", "Chargée d'études"))),
        subject="Candidature : chargée d'études", sender="maelle.kergoat@poste.example",
        attachments=["Curriculum de Maëlle Kergoat.pdf"], found="Quimper")
    add("affaire-09-relance.eml", "business: a reminder with the whole thread below (Outlook)", crlf(head(
        9, "compta@lanterne.example", "Imprimerie Sauvage <direction@imprimerie-sauvage.example>",
        "RE: Avoir sur la facture 2208", date="Wed, 15 Oct 2025 14:00:00 +0200",
        extra="Thread-Topic: Avoir sur la facture 2208\n") + PLAIN
        + "\nBonjour,\n\nSans réponse de votre part, je me permets de relancer au sujet de l'avoir.\n\nBien à vous,\n"
        "La comptabilité\n\n-----Message d'origine-----\nDe : Imprimerie Sauvage\nEnvoyé : jeudi 18 septembre 2025 09:11\n"
        "À : compta@lanterne.example\nObjet : Avoir sur la facture 2208\n\nNous établirons l'avoir pour les dépliants "
        "mal rognés.\n"),
        subject="RE: Avoir sur la facture 2208", sender="compta@lanterne.example", found="relancer")
    add("affaire-10-liste.eml", "business: a mail of a distribution list", head(
        10, claire, "toute-equipe@lanterne.example", "[equipe] " + word("Fermeture de Noël"),
        date="Thu, 16 Oct 2025 12:00:00 +0200",
        extra="List-Id: Toute l'equipe <toute-equipe.lanterne.example>\nList-Unsubscribe: <mailto:sortie@lanterne.example>\n"
              "Precedence: list\nReply-To: rh@lanterne.example\n") + PLAIN
        + "\nChères et chers collègues,\n\nl'établissement ferme du mercredi 24 décembre à midi au vendredi 2 janvier.\n"
        "La permanence téléphonique est assurée par Hugo.\n\nClaire\n\n-- \nListe interne, ne pas diffuser\n",
        subject="[equipe] Fermeture de Noël", sender="claire.fontanel@lanterne.example", found="permanence")
    add("affaire-11-contrat-signe.eml", "business: an opaque S/MIME signature", head(
        11, "Cabinet Orsini <notaire@orsini.example>", claire, word("Bail commercial signé"),
        date="Fri, 17 Oct 2025 15:20:00 +0200")
        + "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=\"smime.p7m\"\n"
          "Content-Disposition: attachment; filename=\"smime.p7m\"\nContent-Transfer-Encoding: base64\n\n"
        + b64(signed_data(crlf(multipart(
            "mixed", "=_bail", text_part("Le bail est signé par le bailleur, clause de révision comprise.\n"),
            text_part("Article 4 : le loyer trimestriel est payable d'avance.\n", "plain",
                      "Content-Disposition: attachment; filename=\"annexe-loyer.txt\"\n"))))),
        subject="Bail commercial signé", sender="notaire@orsini.example", attachments=["smime.p7m", "annexe-loyer.txt"],
        found="trimestriel")
    add("affaire-12-anglais.eml", "business: an English thread with quoted lines", head(
        12, "Owen Pritchard <owen@harbour-logistics.example>", claire, "Re: Delivery window, container HLXU 204417",
        date="Tue, 14 Oct 2025 08:03:00 +0100", extra="In-Reply-To: <00099.essai@lanterne.example>\n") + PLAIN
        + "\nHi Claire,\n\nThe forwarder confirmed Thursday between ten and noon. Please have the dock\ncleared.\n\nOwen\n\n"
        "On Mon, 13 Oct 2025 at 18:20, Claire Fontanel <claire.fontanel@lanterne.example>\nwrote:\n\n"
        "> Could you confirm the delivery window for our container?\n",
        subject="Re: Delivery window, container HLXU 204417", sender="owen@harbour-logistics.example", found="forwarder")


# ── header fields ────────────────────────────────────────────────────────────────────────────────────────────────────

def headers():
    to = "archives@lanterne.example"
    plain = PLAIN
    add("entete-8bit-brut-latin1.eml", "raw Latin-1 in the header fields", (head(
        20, "Rémy Gélinas <remy@cordonnerie.example>", to, "Réparation terminée") +
        "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\n"
        "Vos bottines sont prêtes.\n").encode("latin-1"),
        subject="Réparation terminée", sender="remy@cordonnerie.example", found="bottines")
    add("entete-8bit-brut-utf8.eml", "raw UTF-8 in the header fields, an accented address (RFC 6532)", head(
        21, "Élodie <élodie@épicerie.example>", to, "Panier de légumes") + plain + "\nCourges et panais cette semaine.\n",
        subject="Panier de légumes", sender="élodie@épicerie.example", found="panais")
    add("entete-koi8.eml", "Cyrillic: encoded words in koi8-r, body in windows-1251", (head(
        22, "%s <sklad@perevozki.example>" % word("Склад", "koi8-r"), to, word("Накладная готова", "koi8-r")).encode()
        + b"Content-Type: text/plain; charset=windows-1251\nContent-Transfer-Encoding: 8bit\n\n"
        + "Груз отправлен пароходом.\n".encode("cp1251")),
        subject="Накладная готова", sender="sklad@perevozki.example", found="пароходом")
    cut = "Réunion".encode()
    add("entete-mot-coupe.eml", "a character cut in two between encoded words", head(
        23, "Atelier <atelier@verrerie.example>", to,
        "=?utf-8?B?%s?=\n =?utf-8?B?%s?= =?utf-8?Q?_d=C3=A9cal=C3=A9e?="
        % (base64.b64encode(cut[:2]).decode(), base64.b64encode(cut[2:]).decode())) + plain + "\nLa fournaise attendra.\n",
        subject="Réunion décalée", sender="atelier@verrerie.example", found="fournaise")
    add("entete-mot-casse.eml", "encoded words that are broken: blanks inside, never closed", head(
        24, "Guichet <guichet@theatre-verdoyant.example>", to,
        "=?iso-8859-1?Q?Abonnement de saison?= et =?utf-8?Q?reste") + plain + "\nLes strapontins restent disponibles.\n",
        subject="Abonnement de saison et =?utf-8?Q?reste", sender="guichet@theatre-verdoyant.example", found="strapontins")
    add("entete-nul.eml", "NUL bytes in subject and text", (head(
        25, "Numériseur <scan@etage2.example>".replace("é", "e"), to, "Registre du\0 cadastre") + plain
        + "\nPremi\u00e8re\0page\nseconde moulure\n").encode(),
        subject="Registre du cadastre", sender="scan@etage2.example", found="moulure")
    add("entete-premiere-ligne-suite.eml", "the first line is a continuation", " suite d'un champ perdu\n" + head(
        26, "Pepiniere <serre@pepiniere.example>", to, "Livraison des rosiers") + plain + "\nDouze rosiers grimpants.\n",
        subject="Livraison des rosiers", sender="serre@pepiniere.example", found="grimpants")
    add("entete-ligne-etrangere.eml", "a line among the fields that is no field", head(
        27, "Fanfare <chef@fanfare.example>", to, "Partitions",
        extra="ceci n'est pas un champ\n") + plain + "\nLe trombone manque.\n",
        subject="Partitions", sender="chef@fanfare.example", found="trombone")
    add("entete-sans-ligne-vide.eml", "no empty line between fields and text",
        "From: ruche@apiculture.example\nTo: %s\nSubject: Miel de tilleul\nLa recolte commence ici, sans ligne vide,\n"
        "et parle de propolis.\n" % to,
        subject="Miel de tilleul", sender="ruche@apiculture.example", found="propolis")
    add("entete-from-mbox.eml", "a leading mbox From line", "From pont@ecluse.example Tue Oct 14 09:28:00 2025\n" + head(
        28, "pont@ecluse.example", to, "Fermeture du pont") + plain + "\nLe batardeau est pose.\n",
        subject="Fermeture du pont", sender="pont@ecluse.example", found="batardeau")
    add("entete-bom.eml", "a byte order mark in front", b"\xef\xbb\xbf" + head(
        29, "Moulin <farine@moulin.example>", to, "Mouture fine").encode() + plain.encode() + b"\nSeigle et sarrasin.\n",
        subject="Mouture fine", sender="farine@moulin.example", found="sarrasin")
    add("entete-doubles.eml", "fields that occur twice: the first counts", head(
        30, "Premier <premier@imprimeur.example>", to, "Premier objet",
        extra="Subject: Second objet\nDate: Mon, 01 Jan 2024 00:00:00 +0000\n") + plain + "\nTirage lithographique.\n",
        subject="Premier objet", sender="premier@imprimeur.example", found="lithographique")
    add("entete-groupe.eml", "a group of addresses, a quoted comma, comments", head(
        31, "\"Le Goff, Yann\" (quai 3) <yann@chantier-naval.example>",
        "Equipe: soudeur@chantier-naval.example, Forge <forge@chantier-naval.example>;", "Coque 18",
        extra="Cc: undisclosed-recipients:;\n") + plain + "\nLe bordé tribord est riveté.\n",
        subject="Coque 18", sender="yann@chantier-naval.example", found="riveté")
    add("entete-adresse-ouverte.eml", "an address whose bracket is never closed", head(
        32, "Poste de garde <garde@entrepot.example", to, "Ronde de nuit") + plain + "\nCadenas du portail remplacé.\n",
        subject="Ronde de nuit", sender="garde@entrepot.example", found="cadenas")
    add("entete-sans-from.eml", "no From, no Date, no Message-ID", "To: %s\nSubject: Anonyme\n\nUn billet glissé sous la porte.\n" % to,
        subject="Anonyme", found="billet")
    add("entete-id-long.eml", "a Message-ID of 1,200 characters", head(
        33, "Robot <robot@catalogue.example>", to, "Import du catalogue").replace(
            "<00033.essai@", "<" + "lot-0123456789-" * 79 + "@") + plain + "\nTerminé : quatre mille girouettes.\n",
        subject="Import du catalogue", sender="robot@catalogue.example", found="girouettes")
    add("entete-sujet-vide.eml", "an empty subject", head(34, "Pigeonnier <vol@colombier.example>", to, "") + plain
        + "\nRetour des pigeons voyageurs.\n", sender="vol@colombier.example", found="voyageurs")
    add("entete-seul.eml", "fields and nothing else", head(35, "Sonde <sonde@barrage.example>", to, "Niveau nominal").rstrip("\n"),
        subject="Niveau nominal", sender="sonde@barrage.example", found="nominal")
    add("entete-casse-espaces.eml", "names in odd case, a blank before the colon", "FROM : Vigie <vigie@semaphore.example>\n"
        "to: %s\nsUbJeCt : Brume au large\nContent-TYPE : Text/Plain; Charset=UTF-8\n\nVisibilité d'une encablure.\n" % to,
        subject="Brume au large", sender="vigie@semaphore.example", found="encablure")
    add("entete-tres-replie.eml", "a subject folded over many lines", head(
        36, "Greffe <greffe@tribunal-commerce.example>", to, "Audience\n du\n\tvingt\n  octobre") + plain + "\nRôle des plaidoiries.\n",
        subject="Audience du vingt octobre", sender="greffe@tribunal-commerce.example", found="plaidoiries")


# ── dates ────────────────────────────────────────────────────────────────────────────────────────────────────────────

def dates():
    to = "archives@lanterne.example"
    for number, (name, trigger, date, found) in enumerate([
            ("date-sans-jour", "a date without weekday, seconds and with a comment", "14 Oct 2025 09:12 +0200 (heure d'Europe)", "anémomètre"),
            ("date-asctime", "a date as asctime writes it", "Tue Oct 14 09:12:31 2025", "baromètre"),
            ("date-iso", "a date as ISO 8601 writes it", "2025-10-14T09:12:31+02:00", "hygromètre"),
            ("date-francaise", "a date with French names", "mar., 14 oct. 2025 09:12:31 +0200", "thermomètre"),
            ("date-menteuse", "a date that lies by years", "Fri, 01 Mar 2002 08:00:00 +0100", "pluviomètre"),
            ("date-absurde", "a date that is none", "Bientot, 99 Brumaire 0000 77:88:99", "altimètre")], 40):
        fields = head(number, "Station <meteo@observatoire.example>", to, "Mesure %d" % number)
        before, behind = fields.split("\nDate: ")
        add(name + ".eml", trigger, before + "\nDate: " + date + "\n" + behind.split("\n", 1)[1] + PLAIN
            + "\nRelevé du %s.\n" % found,
            subject="Mesure %d" % number, sender="meteo@observatoire.example", found=found)


# ── structure ────────────────────────────────────────────────────────────────────────────────────────────────────────

def structure():
    to = "archives@lanterne.example"

    def mail(number, name, trigger, subject, body, **more):
        sender = more.pop("sender", "Bureau <bureau@structure.example>")
        add(name + ".eml", trigger, more.pop("data", None) or head(number, sender, to, subject) + body, subject=subject,
            sender="bureau@structure.example", **more)

    mail(50, "structure-frontiere-finale-absente", "the last boundary is missing", "Sans fin",
         multipart("mixed", "=_sf", text_part("Le parchemin est incomplet.\n"),
                   text_part("suite manuscrite\n", "plain", "Content-Disposition: attachment; filename=\"suite.txt\"\n"),
                   closed=False), attachments=["suite.txt"], found="manuscrite")
    mail(51, "structure-frontiere-jamais-vue", "the boundary never comes", "Frontiere absente",
         "Content-Type: multipart/mixed; boundary=\"=_jamais\"\n\nUn seul texte, sur le halage.\n", found="halage")
    mail(52, "structure-frontiere-non-dite", "a multipart without boundary parameter", "Frontiere tue",
         "Content-Type: multipart/mixed\n\n--=_tue\nContent-Type: text/plain; charset=utf-8\n\nL'écluse est fermée.\n"
         "--=_tue\nContent-Type: text/plain; name=\"avis.txt\"\n\nAvis aux mariniers\n--=_tue--\n",
         attachments=["avis.txt"], found="mariniers")
    nested = text_part("Au fond, une turquoise.\n")
    for level in range(12):
        nested = multipart("mixed", "=_n%d" % level, text_part("étage %d\n" % level), nested)
    mail(53, "structure-douze-etages", "twelve multiparts inside each other", "Poupees", nested, found="turquoise")
    inner = "From: fond@structure.example\nSubject: Au fond\n\nUn coffret de nacre.\n"
    for level in range(6):
        inner = ("From: etage%d@structure.example\nSubject: Etage %d\nContent-Type: message/rfc822\n\n" % (level, level)) + inner
    mail(54, "structure-messages-emboites", "messages inside each other", "Enveloppes", "Content-Type: message/rfc822\n\n" + inner,
         found="nacre")
    mail(55, "structure-message-en-base64", "an embedded message that is base64, against RFC 2046", "Sous scelle",
         multipart("mixed", "=_sc", text_part("Voir le message joint.\n"),
                   "Content-Type: message/rfc822\nContent-Disposition: attachment; filename=\"scelle.eml\"\n"
                   "Content-Transfer-Encoding: base64\n\n" + b64(
                       "From: coffre@structure.example\nSubject: Interieur\nMIME-Version: 1.0\n" + multipart(
                           "mixed", "=_in", text_part("La cire est intacte.\n"),
                           text_part("pli d'ambre\n", "plain", "Content-Disposition: attachment; filename=\"pli.txt\"\n")))),
         attachments=["scelle.eml", "pli.txt"], found="ambre")
    mail(56, "structure-digest", "a digest whose parts are messages by default", "Recueil",
         multipart("digest", "=_d", "\nFrom: a@structure.example\nSubject: Premier\n\nchèvrefeuille\n",
                   "\nFrom: b@structure.example\nSubject: Second\n\nglycine\n"), found="glycine")
    mail(57, "structure-frontieres-voisines", "one boundary is the beginning of the other", "Voisines",
         multipart("mixed", "=_v", multipart("alternative", "=_vv", text_part("Un seul des deux : cardon.\n"),
                                             text_part("<p>Un seul des deux : cardon.</p>", "html")),
                   text_part("topinambour\n", "plain", "Content-Disposition: attachment; filename=\"legume.txt\"\n")),
         attachments=["legume.txt"], found="topinambour")
    mail(58, "structure-cinquante-pieces", "fifty attachments", "Inventaire",
         multipart("mixed", "=_c", text_part("Cinquante fiches.\n"),
                   *[text_part("fiche %d : outil-%03d\n" % (i, i), "plain",
                               "Content-Disposition: attachment; filename=\"fiche-%02d.txt\"\n" % i) for i in range(50)]),
         attachments=["fiche-00.txt", "fiche-49.txt"], found="outil-049")
    mail(59, "structure-piece-vide", "an attachment without a byte", "Piece vide",
         multipart("mixed", "=_pv", text_part("La pièce est vide, l'objet parle d'anémone.\n"),
                   "Content-Type: application/octet-stream\nContent-Disposition: attachment; filename=\"temoin.dat\"\n"
                   "Content-Transfer-Encoding: base64\n\n"), attachments=["temoin.dat"], found="anémone")
    mail(60, "structure-partielle", "the first fragment of a split message", "Fragment",
         "Content-Type: message/partial; id=\"abc@structure.example\"; number=1; total=2\n\n"
         "From: bureau@structure.example\nSubject: Entier\nMIME-Version: 1.0\n" + multipart(
             "mixed", "=_p", text_part("Première moitié du cordage.\n"),
             file_part("plan.png", "image/png", png(4, 4, 1, 2, 3)), closed=False), attachments=["plan.png"], found="cordage")
    mail(61, "structure-retour-echec", "a bounce: report, status, the mail returned", "Undelivered Mail Returned to Sender",
         multipart("report", "=_r", text_part("Votre message n'a pas pu être remis.\n"),
                   "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.structure.example\n\n"
                   "Final-Recipient: rfc822; absent@structure.example\nAction: failed\nStatus: 5.1.1\n"
                   "Diagnostic-Code: smtp; 550 boite inconnue mandarine\n",
                   "Content-Type: message/rfc822\n\nFrom: bureau@structure.example\nTo: absent@structure.example\n"
                   "Subject: Le message perdu\n\nContenu : mirabelle.\n", params="; report-type=delivery-status"),
         found="mandarine")
    mail(62, "structure-journal-exchange", "Exchange's journal report around a mail", "Contrat cadre",
         data=head(62, "Microsoft Exchange <bureau@structure.example>", "journal@lanterne.example", "Contrat cadre",
                   extra="X-MS-Journal-Report:\n") + multipart(
             "mixed", "=_j", text_part("Sender: acheteur@structure.example\nSubject: Contrat cadre\nRecipient: cache@structure.example\n"),
             "Content-Type: message/rfc822\n\nFrom: Acheteur <acheteur@structure.example>\nTo: vendeur@structure.example\n"
             "Subject: Contrat cadre\nDate: Tue, 14 Oct 2025 09:00:00 +0200\nMessage-ID: <cadre@structure.example>\n\n"
             "Les remises sont échelonnées.\n"), body="", found="échelonnées")


# ── content: charsets and encodings ──────────────────────────────────────────────────────────────────────────────────

def content():
    to = "archives@lanterne.example"
    sender = "Labo <labo@contenu.example>"

    def mail(number, name, trigger, subject, fields, data, **more):
        if isinstance(data, str):
            data = data.encode()
        add(name + ".eml", trigger, head(number, sender, to, subject).encode() + fields.encode() + b"\n" + data,
            subject=subject, sender="labo@contenu.example", **more)

    def text(charset, encoding="8bit"):
        return "Content-Type: text/plain; charset=%s\nContent-Transfer-Encoding: %s\n" % (charset, encoding)

    mail(70, "contenu-latin1-veut-dire-1252", "windows-1252 called iso-8859-1", "Guillemets", text("iso-8859-1"),
         "Le cœur du métier coûte 12 €.\n".encode("cp1252"), found="cœur")
    mail(71, "contenu-utf8-dit-latin1", "UTF-8 called iso-8859-1", "Etiquette fausse", text("iso-8859-1"),
         "Une bougie d'été pâlit.\n", found="pâlit", absent="pÃ¢lit")
    mail(72, "contenu-latin1-dit-utf8", "Latin-1 called UTF-8", "Etiquette inverse", text("utf-8"),
         "Forêt de mélèzes.\n".encode("latin-1"), found="mélèzes")
    mail(73, "contenu-charset-inconnu", "a charset that nobody knows", "Inconnu", text("x-martien-9"),
         "Le château est hanté.\n".encode("latin-1"), found="hanté")
    mail(74, "contenu-charset-absent", "8-bit text without any declaration", "Muet",
         "Content-Type: text/plain\n", "La péniche est amarrée.\n".encode("cp1252"), found="amarrée")
    mail(75, "contenu-utf7", "UTF-7", "Sept bits", text("utf-7", "7bit"), "Un b+AOk-b+AOk- sourit.\n", found="bébé")
    mail(76, "contenu-utf16", "UTF-16 in base64", "Seize bits", text("utf-16", "base64"),
         b64("Les hêtres jaunissent.\n".encode("utf-16")), found="hêtres")
    mail(77, "contenu-iso-2022-jp", "Japanese in iso-2022-jp", word("見積書", "iso-2022-jp"), text("iso-2022-jp", "7bit"),
         "お見積書をお送りします。\n".encode("iso2022_jp"), found="見積書")
    ROWS[-1] = ROWS[-1][:2] + ("見積書",) + ROWS[-1][3:]
    mail(78, "contenu-gb18030", "Chinese called gb2312 with a character beyond it", word("发货通知", "gb18030"), text("gb2312"),
         "货物已经发出，镕铸件除外。\n".encode("gb18030"), found="货物已经")
    ROWS[-1] = ROWS[-1][:2] + ("发货通知",) + ROWS[-1][3:]
    mail(79, "contenu-base64-pollue", "base64 with junk and uneven lines", "Pollue", text("utf-8", "base64"),
         b64("Le chevalet porte une toile vierge.\n").replace("U", "U *\n ", 1).replace("I", "I!-", 1), found="chevalet")
    mail(80, "contenu-base64-sans-fin", "base64 without its padding", "Tronque", text("utf-8", "base64"),
         b64("dernier mot: escarboucle").rstrip("=\n") + "\n", found="escarboucle")
    mail(81, "contenu-base64-double", "two base64 streams in one part", "Double", text("utf-8", "base64"),
         b64("premier flux\n") + b64("second flux : obsidienne\n"), found="obsidienne")
    mail(82, "contenu-qp-casse", "quoted-printable with broken escapes", "Casse", text("utf-8", "quoted-printable"),
         "Remise de 100=% sur les =ZZ bou=\ngeoirs d'=C3=A9tain.\n", found="bougeoirs")
    mail(83, "contenu-encodage-inconnu", "a transfer encoding that nobody knows", "Encodage", text("utf-8", "x-perdu"),
         "Un lutrin de noyer.\n", found="lutrin")
    block = "begin 644 releve.bin\n"
    raw = bytes((i * 37 + 11) % 256 for i in range(90))
    for i in range(0, len(raw), 45):
        piece = raw[i:i + 45]
        line = chr(32 + len(piece))
        for j in range(0, len(piece), 3):
            bits = int.from_bytes(piece[j:j + 3].ljust(3, b"\0"), "big")
            line += "".join(chr((bits >> shift & 63) + 32 or 96).replace(" ", "`") for shift in (18, 12, 6, 0))
        block += line + "\n"
    mail(84, "contenu-uuencode", "a uuencoded block in the text", "Releve", text("utf-8"),
         "Voici le relevé du jour.\n\n" + block + "`\nend\n\nSuite : la boussole.\n", attachments=["releve.bin"],
         found="boussole")
    mail(85, "contenu-chiffre", "S/MIME that is encrypted", "Chiffre",
         "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=\"smime.p7m\"\n"
         "Content-Disposition: attachment; filename=\"smime.p7m\"\nContent-Transfer-Encoding: base64\n",
         b64(enveloped_data()), attachments=["smime.p7m"], found="Chiffre")
    mail(86, "contenu-pgp", "PGP/MIME that is encrypted", "Scelle",
         multipart("encrypted", "=_pgp", "Content-Type: application/pgp-encrypted\n\nVersion: 1\n",
                   "Content-Type: application/octet-stream; name=\"encrypted.asc\"\n\n-----BEGIN PGP MESSAGE-----\n\n"
                   "hQEMA0Vzc2FpIG5vbiBkZWNoaWZmcmFibGU=\n=abcd\n-----END PGP MESSAGE-----\n",
                   params="; protocol=\"application/pgp-encrypted\"").split("\n\n", 1)[0] + "\n",
         multipart("encrypted", "=_pgp", "Content-Type: application/pgp-encrypted\n\nVersion: 1\n",
                   "Content-Type: application/octet-stream; name=\"encrypted.asc\"\n\n-----BEGIN PGP MESSAGE-----\n\n"
                   "hQEMA0Vzc2FpIG5vbiBkZWNoaWZmcmFibGU=\n=abcd\n-----END PGP MESSAGE-----\n").split("\n\n", 1)[1],
         attachments=["encrypted.asc"], found="Scelle")
    mail(87, "contenu-lignes-melees", "LF and CRLF in one mail, and a lone CR", "Lignes", text("utf-8"),
         b"Une ligne.\r\nUne autre.\nUn retour\rseul, puis quenouille.\r\n", found="quenouille")
    mail(88, "contenu-ligne-longue", "a line of 20,000 characters", "Ruban", text("utf-8"),
         "ruban " * 3333 + "velours\n", found="velours")
    mail(89, "contenu-corps-vide", "no text at all behind the fields", "Seul l'objet parle de genet", text("utf-8"), b"", found="genet")
    mail(90, "contenu-flowed", "format=flowed with a signature", "Au fil", text("utf-8").replace("utf-8", "utf-8; format=flowed"),
         "Une phrase qui court \nsur deux lignes, jusqu'au moulinet.\n\n-- \nBureau des fils\n", found="moulinet")


# ── HTML ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

def html():
    to = "archives@lanterne.example"

    def mail(number, name, trigger, subject, source, **more):
        add(name + ".eml", trigger, head(number, "Gazette <gazette@page.example>", to, subject)
            + "Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n" + qp(source),
            subject=subject, sender="gazette@page.example", **more)

    mail(100, "html-entites", "character references of every kind", "Entites",
         "<p>La f&ecirc;te des vendang&#101;s &#x00e0; Beaune&nbsp;: c&oelig;ur, &#146;na&iuml;f, 3 &lt; 5 &amp; &inconnu;</p>",
         found="vendanges", absent="ecirc")
    mail(101, "html-mot-coupe-par-balise", "tags inside a word, blocks without blanks", "Balises",
         "<div>un <b>coqu</b><i>elic</i>ot</div><div>avoine</div><table><tr><td>orge</td><td>blé</td></tr></table>",
         found="coquelicot", absent="avoineorge")
    mail(102, "html-script-et-style", "script, style and comments are no text", "Coulisses",
         "<html><head><title>Une</title><style>.vermillon{color:red}</style></head><body><!-- outremer -->"
         "<script>var x='carmin </p>';</script>Texte visible : pastel</body></html>", found="pastel", absent="carmin")
    mail(103, "html-commentaire-ouvert", "a comment that is never closed", "Ouvert",
         "<p>avant</p><!-- jamais fermé > <p>et pourtant la lavande</p>", found="lavande")
    mail(104, "html-casse", "markup that is no markup: lone brackets, open quotes", "Brouillon",
         "<p title=\"jamais fermé>si a < b et c > d, écrire à <michel@page.example></p><p>fin : verveine", found="verveine")
    add("html-a-cote-d-un-bouchon.eml", "a plain part that only asks for another program", head(
        105, "Gazette <gazette@page.example>", to, "Bouchon") + multipart(
            "alternative", "=_b", text_part("Votre logiciel ne sait pas afficher ce message.\n"),
            text_part("<h1>Nouvelles</h1><p>Le marché aux truffes ouvre samedi sous la halle, avec dégustation de "
                      "cidre et vente de paniers.</p>", "html")),
        subject="Bouchon", sender="gazette@page.example", found="truffes")
    add("html-citation.eml", "an answer in HTML with the mail answered below", head(
        106, "Gazette <gazette@page.example>", to, "Re: Tarif") + "Content-Type: text/html; charset=utf-8\n\n"
        "<div>D'accord pour le tarif brocante.</div><div class=\"gmail_quote\">Le 13 oct. 2025, Marc a écrit&nbsp;:<br>"
        "<blockquote class=\"gmail_quote\">Quel tarif pour le chiffonnier ?</blockquote></div>\n",
        subject="Re: Tarif", sender="gazette@page.example", found="chiffonnier")


# ── attachments ──────────────────────────────────────────────────────────────────────────────────────────────────────

def attachments():
    to = "archives@lanterne.example"
    sender = "Expediteur <envoi@pieces.example>"

    def mail(number, name, trigger, subject, *parts, **more):
        add(name + ".eml", trigger, head(number, sender, to, subject) + multipart(
            "mixed", "=_%d" % number, text_part("Voir la pièce jointe.\n"), *parts), subject=subject,
            sender="envoi@pieces.example", **more)

    mail(110, "piece-nom-2231", "names by RFC 2231 with a charset and continuations", "Noms",
         "Content-Type: text/plain; charset=iso-8859-1\nContent-Disposition: attachment;\n"
         " filename*=iso-8859-15'fr'Re%E7u%2045%20%A4.txt\nContent-Transfer-Encoding: 8bit\n\nhortillonnage\n",
         "Content-Type: text/plain\nContent-Disposition: attachment;\n filename*0=\"liste tres longue \";\n"
         " filename*1=\"en deux morceaux\";\n filename*2=.txt\n\ncharmille\n",
         attachments=["Reçu 45 €.txt", "liste tres longue en deux morceaux.txt"], found="charmille")
    mail(111, "piece-nom-2047", "a name by RFC 2047, against the rules", "Noms encore",
         "Content-Type: text/plain; name=\"%s\"\n\nsauge\n" % word("état des lieux.txt"), attachments=["état des lieux.txt"],
         found="sauge")
    mail(112, "piece-nom-dangereux", "names with a path, and no name", "Chemins",
         "Content-Type: text/plain\nContent-Disposition: attachment; filename=\"../../etc/clé.txt\"\n\nthym\n",
         "Content-Type: text/plain\nContent-Disposition: attachment; filename=\"\"\n\nsarriette\n",
         "Content-Type: text/plain\nContent-Disposition: attachment; filename=\"C:\\TEMP\\plan.txt\"\n\norigan\n",
         attachments=["../../etc/clé.txt", "C:\\TEMP\\plan.txt"], found="sarriette")
    mail(113, "piece-carte", "a visiting card", "Carte",
         file_part("carte.vcf", "text/vcard; charset=utf-8",
                   "BEGIN:VCARD\nVERSION:3.0\nFN:Solène Marchadier\nORG:Filature du Vallon\nEND:VCARD\n"),
         attachments=["carte.vcf"], found="Marchadier")
    mail(114, "piece-html", "an HTML page as attachment", "Page",
         file_part("rapport.html", "text/html; charset=utf-8",
                   "<html><head><style>.indigo{}</style></head><body>Bilan : <b>excé</b>dent</body></html>"),
         attachments=["rapport.html"], found="excédent", absent="indigo")
    mail(115, "piece-texte-sans-type", "a text called application/octet-stream", "Sans type",
         file_part("notes.txt", "application/octet-stream", "Le puits est à sec : margelle.\n"), attachments=["notes.txt"],
         found="margelle")
    mail(116, "piece-tnef", "winmail.dat, which nothing here reads yet", "Winmail",
         file_part("winmail.dat", "application/ms-tnef", b"\x78\x9f\x3e\x22" + bytes(40)), attachments=["winmail.dat"],
         found="Winmail")
    mail(117, "piece-binaire-dit-texte", "bytes called text/plain", "Faux texte",
         file_part("image.txt", "text/plain", bytes((i * 89 + 7) % 256 for i in range(600))), attachments=["image.txt"],
         found="Faux")


# ── mailboxes ────────────────────────────────────────────────────────────────────────────────────────────────────────

def mailboxes():
    def entry(number, text, raw=""):
        return (("From boite@archives.example Tue Oct 14 09:%02d:00 2025\n" % (number % 60))
                + (raw or head(number, "Boite <boite@archives.example>", "archives@lanterne.example", "Pli %d" % number) + PLAIN
                   + "\n" + text) + "\n")
    add("boite-trois.mbox", "an mbox of three, one with >From in its text", entry(120, "Premier pli : dahlia.\n")
        + entry(121, ">From ici commence une citation : capucine.\n") + entry(122, "Dernier pli : jonquille.\n"),
        found="dahlia; capucine; jonquille")
    add("boite-abimee.mbox", "an mbox that goes on behind broken mails", entry(123, "Avant la casse : abricot.\n")
        + entry(124, "", head(124, "Boite <boite@archives.example>", "archives@lanterne.example", "Jamais fermé".encode().decode())
                + "Content-Type: multipart/mixed; boundary=\"=_a\n\n--=_a\nContent-Disposition: attachment; filename=\"ouvert\n"
                + "x" * 8192 + "\nbergamote\n")
        + entry(125, "", "premiere ligne sans champ\nSubject: sans tete\n\ncardamome\n")
        + entry(126, "Apres la casse : dragonnier.\n"), found="abricot; bergamote; cardamome; dragonnier")
    add("boite-crlf.mbox", "an mbox with CRLF", crlf(entry(127, "Ligne longue : fuchsia.\n") + entry(128, "Seconde : garance.\n")),
        found="fuchsia; garance")


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__.split("\n\n")[1])
    here = os.path.dirname(os.path.abspath(__file__))
    directory = os.path.join(here, "mail")
    for make in (business, headers, dates, structure, content, html, attachments, mailboxes):
        make()
    manifest = "file\ttrigger\tsubject\tfrom\tattachments\tfound\tabsent\n"
    for row in ROWS:
        assert not any("\t" in cell or "\n" in cell for cell in row), row
        manifest += "\t".join(row) + "\n"
    mails = len(FILES)
    FILES["../MANIFEST.tsv"] = manifest.encode()
    if sys.argv[1:] == ["--check"]:
        wrong = ["%s: nothing writes it" % name for name in sorted(set(os.listdir(directory)) - set(FILES))]
        for name, data in sorted(FILES.items()):
            path = os.path.join(directory, name)
            if not os.path.exists(path):
                wrong.append("%s: missing; run make_mail.py" % name)
            elif open(path, "rb").read() != data:
                wrong.append("%s: differs from what make_mail.py writes" % name)
        print("\n".join(wrong) or "%d mails, all as written" % mails)
        sys.exit(1 if wrong else 0)
    os.makedirs(directory, exist_ok=True)
    for name, data in FILES.items():
        with open(os.path.join(directory, name), "wb") as out:
            out.write(data)
    print("%d mails, %d bytes" % (mails, sum(len(data) for data in FILES.values())))


if __name__ == "__main__":
    main()
