"""Which names are those of secrets."""

from __future__ import annotations

import pytest

from nbsteps.core.secrecy import is_secret


@pytest.mark.parametrize(
    ("secret", "names"),
    [
        (True, "password dbpassword PASSWD db_pass pass pwd user_pwd passphrase auth auth_header basic_auth pin"),
        (True, "secret client_secret SECRETS token api_token access_token token_url csrftoken credentials"),
        (True, "api_key apikey OPENAI_API_KEY openai_api_key access_key private_key signing_key authorization"),
        (False, "author authority passenger bypass passes compass secretary secretariat shop key keys sort_key"),
        (False, "tokens max_tokens tokenizer tokeniser spin pinned opinion pipeline"),
    ],
)
def test_names_tell(secret, names):
    assert {name: is_secret(name) for name in names.split()} == dict.fromkeys(names.split(), secret)
