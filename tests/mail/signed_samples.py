"""Mails that dkimpy 1.1.8 signed with keys made for it, and the sample of RFC 8463."""

from __future__ import annotations

MAIL = (
    b"From: Anna Muster <anna@example.org>\r\n"
    b"To: amelia+scott@desk.example,\r\n"
    b"\tTim <tim@example.org>\r\n"
    b"Subject:  Make   it\r\n"
    b" blue\t\r\n"
    b"Date: Mon, 5 Jan 2026 10:00:00 +0100\r\n"
    b"Message-ID: <m1@example.org>\r\n"
    b"X-Mailer: none\r\n"
    b"\r\n"
    b"The header,  please.\t\r\n"
    b"\r\n"
    b" \r\n"
    b"\r\n"
)

# By the form of the fields and of the text.
SIGNATURES = {
    "rsa-sha256 simple/simple": (
        b"DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d=example.org;\r\n"
        b" i=@example.org; q=dns/txt; s=r; t=1795383963; h=from : to : subject :\r\n"
        b" date : message-id : from;\r\n"
        b" bh=ARJCsJabxhWGNLf/EuQTMNlE6LUKDOwe/8nHEMt48x0=;\r\n"
        b" b=IxsLRNm3URDJDzxfISBU0jBZgMJU0tNmLKTE5p4HoW1mdivFxzhCp/wbjpYjD80bl2w6k\r\n"
        b" y5+sQv7yuYo1v3fMudUVeFPOvzPGE6f3yT7Y3ASykYcm7dHLmt11hPKqvSiExd8n8kETRVE\r\n"
        b" 80vAVNi8uc3AhGpNy2H5FIGYLoS2E/aDYAFrUfW2AAmgvxzdF5mL68YZ9Eqf9GULC63K3Hp\r\n"
        b" uAGXQf6c4ler+6WHO/t7p4Refdn2aGFa9knKUVvm7nvf5tP57+oiFU2Im6Jpuk+c6t5hoKV\r\n"
        b" dFfcpWK5EJk/5xTAMn4QFrt8e4LkzDoA/iDuxJuoE1RoX/Le0RSfk/AhiPfg==\r\n"
    ),
    "rsa-sha256 relaxed/simple": (
        b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=example.org;\r\n"
        b" i=@example.org; q=dns/txt; s=r; t=1795383963; h=from : to : subject :\r\n"
        b" date : message-id : from;\r\n"
        b" bh=ARJCsJabxhWGNLf/EuQTMNlE6LUKDOwe/8nHEMt48x0=;\r\n"
        b" b=Cj3ZfQTaV5Bxe/RHD/JKYo/hOE4P9Tyvc5VUz//OBEgBEw2FMv4vpiUdxFKJe/WYwSlyI\r\n"
        b" QkEVUtlnTP5Mdo7C4vrwWD0ZnqI6MSwlMRhYx2eCHerN6u3UbVBo6+WVPYZH7mCrqoY3rQj\r\n"
        b" A5TwgsExfOW+V+Crtz4YyxTfgD/+Yr+/FY7v4Rd62v4ieF1Re0D1Ay7bGb8a0F4s0L5FbDU\r\n"
        b" E1V8eMrl6sDzNnUkWfxeMSG/PH2uPRJTVBxXt8GZi+plu56CbZ9Z66UmUFRY8YMe4+5AACf\r\n"
        b" z79XvV8VQLYl73pTa5IHbzqVwNBROw+XHTWWXveiu6tah6Z4hu5mxyiQMNYg==\r\n"
    ),
    "ed25519-sha256 simple/relaxed": (
        b"DKIM-Signature: v=1; a=ed25519-sha256; c=simple/relaxed; d=example.org;\r\n"
        b" i=@example.org; q=dns/txt; s=e; t=1795383963; h=from : to : subject :\r\n"
        b" date : message-id : from;\r\n"
        b" bh=9D8+qI5EjO3tgnVcn2LWQldbQLI6UNN12ehRDOlVJ2c=;\r\n"
        b" b=FDdWncohh9SoNHWUMx8c4vkCXUgxYWpKEcPlSqqrEENOywTMEVdj5XtIsQgy+Q/iZg9Aa\r\n"
        b" kaA+5HB4a5t5zczAQ==\r\n"
    ),
    "ed25519-sha256 relaxed/relaxed": (
        b"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.org;\r\n"
        b" i=@example.org; q=dns/txt; s=e; t=1795383963; h=from : to : subject :\r\n"
        b" date : message-id : from;\r\n"
        b" bh=9D8+qI5EjO3tgnVcn2LWQldbQLI6UNN12ehRDOlVJ2c=;\r\n"
        b" b=afg59QTunuDTUhj8iCW1QnZk0YZB2xwlGUwQyZcjjyCnrq6wPMDm70zY4773peHCd6UzF\r\n"
        b" beyB61e7On9hPeOCg==\r\n"
    ),
}
KEYS = {
    "r._domainkey.example.org": (
        "v=DKIM1; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAhquAsVGD4BQ0/IeztP1J8klq9"
        "fQfFZe+idPHms9u7H3FXUbyxfHe5Sor7B7UK/KbHWy9TgRyyd+OXNErV6Le/pzVZQ7UQr1RCfoP3Zeo4"
        "/txF6VCTLPdxV+HnMVguDGnjL6JiwBktERYwDrUyXjll2l1QxLVRXEzQuSXssDlnRmwyf6XAOEJemEvi"
        "R8m24Okt9i16M5AYHdWcCr9HqKWZQPDmLVMYpNyZhFJ3o9pQLML3u+knmdh3W8E3lrDTwuGLYmAoReaB"
        "bWi1N2WAv+2oOaRlHAXDu1V3gvMNHVwu93vVbC/ohpnWshatGlgAcd5Zd16Wxj6Uv1jkgrIn/XrmwIDA"
        "QAB"
    ),
    "e._domainkey.example.org": (
        "v=DKIM1; k=ed25519; p=V1deEyweWW7DaDceljOfV40+R3huJkveUDB6MPHkQ6k="
    ),
}

# RFC 8463, appendix A: one mail, signed with both algorithms.
RFC_8463 = (
    (
        b"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
        b" d=football.example.com; i=@football.example.com;\r\n"
        b" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
        b" subject : date : message-id : from : subject : date;\r\n"
        b" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
        b" b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
        b" Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
    ),
    (
        b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
        b" d=football.example.com; i=@football.example.com;\r\n"
        b" q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
        b" date : message-id : from : subject : date;\r\n"
        b" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
        b" b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"
        b" DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"
        b" dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n"
    ),
)
RFC_8463_MAIL = (
    b"From: Joe SixPack <joe@football.example.com>\r\n"
    b"To: Suzie Q <suzie@shopping.example.net>\r\n"
    b"Subject: Is dinner ready?\r\n"
    b"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    b"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
    b"\r\n"
    b"Hi.\r\n"
    b"\r\n"
    b"We lost the game.  Are you hungry yet?\r\n"
    b"\r\n"
    b"Joe.\r\n"
)
RFC_8463_KEYS = {
    "brisbane._domainkey.football.example.com": (
        "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    ),
    "test._domainkey.football.example.com": (
        "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3id"
        "Y6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lx"
        "j+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
    ),
}
