"""Let the contract explain its failures as tests of this folder do."""

import pytest

pytest.register_assert_rewrite("hotdesk.testing")
