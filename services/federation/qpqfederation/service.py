"""Federation's methods, all refused until the federation issue is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from qpqcore.api.federation import METHODS
from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from qpqcore.model.call import CallContext

NAMES = frozenset(m.attribute for m in METHODS)


class Federation:
    """Has every method of `qpqcore.api.federation.FederationApi`."""

    def __getattr__(self, name: str) -> object:
        if name not in NAMES:
            raise AttributeError(name)
        return self._refuse

    @staticmethod
    async def _refuse(call: CallContext, params: object) -> NoReturn:
        del call, params
        raise Refusal(ErrorCode.NOT_IMPLEMENTED_YET, "this server does not talk to other domains yet")
