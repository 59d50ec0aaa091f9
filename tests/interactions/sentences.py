"""Sentences for the language test: other languages, none to be analysed, and short English, all to be."""

OTHER_LANGUAGES = {
    "de": """
        Die Kundin war sehr zufrieden mit dem Entwurf.
        Rechnung noch nicht bezahlt, zweite Mahnung geschickt
        Gutes Gespräch, der Vertrag kommt am Montag
        Super Arbeit
        Leider ist das Projekt gestorben, fatal für uns
        Er hat die Frist verpasst
        War ein super Termin
        Bitte um Angebot bis Freitag
        Note: sehr gut, alles perfekt
        Das Design ist brutal gut, der Chef ist happy
    """,
    "fr": """
        Le client est content du projet
        Excellent travail
        Facture impayée depuis deux mois
        Il n'est pas d'accord avec le devis
        C'est fatal pour le budget
        Merci pour votre patience
        Problème grave avec le site, client furieux
        Réunion annulée
        Super idée, merci
    """,
    "es": """
        La clienta está encantada con el logo
        No pagan la factura
        Gran trabajo, todo perfecto
        Error fatal en el presupuesto
        El proyecto es horrible
        Muy contento con la idea original
        No hay problema
        Reunión cancelada otra vez
    """,
    "pt": """
        O cliente adorou o novo site
        Fatura em atraso, sem resposta
        Trabalho excelente, muito obrigado
        Não gostou do resultado
        Um problema grave com o pagamento
        Ele vai recomendar a nossa equipa
    """,
    "it": """
        Il cliente è molto contento
        Lavoro fantastico
        Fattura non pagata
        Un disastro totale, niente va bene
        Grazie mille per il supporto
        La riunione è andata male
        Idea brillante
    """,
    "nl": """
        De klant is erg blij met het ontwerp
        Factuur nog niet betaald
        Super werk, dank je wel
        Het was een ramp
        Hij is boos over de fatale fout
        Goed gesprek, contract volgt
        Perfect geregeld, bedankt
    """,
    "pl": """
        Klient jest bardzo zadowolony
        Faktura nadal nie zapłacona
        Super praca, dziękuję
        To był fatalny pomysł
        Problem z umową
        Brak odpowiedzi od miesiąca
    """,
    "ru": """
        Клиент очень доволен
        Счёт до сих пор не оплачен
        Отличная работа, спасибо
        Проект отменён, super жаль
    """,
    "ja": """
        素晴らしい会議でした
        請求書はまだ支払われていません
        クライアントはデザインに満足しています
        OKです。ありがとうございました
        Great な仕事でした
    """,
    "others": """
        Kunden är mycket nöjd med förslaget
        Fakturan är inte betald, fatal miss
        Müşteri çok memnun, teşekkürler
        Zákazník je velmi spokojený, super
        Az ügyfél nagyon elégedett, szuper
        Asiakas on tyytyväinen
    """,
}

SHORT_ENGLISH = """
    Great call
    Good meeting
    Awesome news
    Very happy
    Not happy
    Loved it
    Hates it
    Excellent!
    Excellent meeting
    Super!
    Super keen
    Perfect
    Terrible call
    Bad news
    Angry client
    Happy client
    Invoice overdue
    Unpaid invoice
    Ghosted
    Scope creep
    Project cancelled
    Contract signed
    Won the deal
    Lost the pitch
    Frustrating day
    Nice chat
    Brilliant feedback
    Awful feedback
    Great work, Jürgen!
    Happy with José
    Call with Frau Müller: very pleased
    Lovely café meeting
    Impressed
    Disappointed
    Thrilled 🎉
    Fatal error
    Great job on Die Zeit campaign
    El Niño campaign won an award
    thx, u did gr8
    Wonderful, wonderful
    Meeting with Pérez & García GmbH went badly
    Grateful for quick reply
    No complaints
    Rude
    Proposal accepted
    Proposal rejected
    Fantastic
    Terrific résumé
"""
