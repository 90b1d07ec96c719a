"""bfloat16 as a data type of zarr v3, so that zarr and xarray open arrays of it; the values are bits, see bfloat16.py.

The name, the bytes and the zero are those that zarr's register of extensions gives `bfloat16`. Importing this
module makes zarr know it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from zarr.core.dtype.common import HasEndianness, HasItemSize
from zarr.dtype import DataTypeValidationError, ZDType, data_type_registry

from store.bfloat16 import NAME, bfloat16


@dataclass(frozen=True, kw_only=True)
class BFloat16(ZDType[np.dtypes.VoidDType, np.void], HasEndianness, HasItemSize):
    """Two bytes a value. It is found by its name alone, and its fill value is 0: arrays here have no other."""

    dtype_cls = np.dtypes.VoidDType  # type: ignore[assignment]
    _zarr_v3_name: ClassVar[Literal["bfloat16"]] = "bfloat16"

    @property
    def item_size(self) -> int:
        return 2

    @classmethod
    def from_native_dtype(cls, dtype: np.dtype) -> Self:
        # zarr's own structured type matches the record too, and zarr refuses a dtype that has two answers.
        raise DataTypeValidationError(f"{dtype} is not taken for {NAME}: name the data type")

    def to_native_dtype(self) -> np.dtypes.VoidDType:
        return bfloat16().newbyteorder("<" if self.endianness == "little" else ">")  # type: ignore[return-value]

    @classmethod
    def _from_json_v2(cls, data: object) -> Self:
        raise DataTypeValidationError(f"{NAME} is a data type of zarr v3 only")

    @classmethod
    def _from_json_v3(cls, data: object) -> Self:
        if data != NAME:
            raise DataTypeValidationError(f"{data!r} is not {NAME}")
        return cls()

    def to_json(self, zarr_format: int) -> Any:
        if zarr_format != 3:
            raise ValueError(f"{NAME} is a data type of zarr v3 only")
        return NAME

    def _check_scalar(self, data: object) -> bool:
        return (isinstance(data, np.void) and data.dtype == self.to_native_dtype()) or data == 0

    def cast_scalar(self, data: object) -> np.void:
        if not self._check_scalar(data):
            raise TypeError(f"{data!r} is no scalar of {NAME}")
        return data if isinstance(data, np.void) else self.default_scalar()

    def default_scalar(self) -> np.void:
        return np.zeros(1, dtype=self.to_native_dtype())[0]

    def from_json_scalar(self, data: object, *, zarr_format: int) -> np.void:
        if data != 0:
            raise TypeError(f"fill value {data!r} of {NAME}: expected 0")
        return self.default_scalar()

    def to_json_scalar(self, data: object, *, zarr_format: int) -> float:
        if self.cast_scalar(data) != self.default_scalar():
            raise TypeError(f"fill value {data!r} of {NAME}: expected 0")
        return 0.0


data_type_registry.register(NAME, BFloat16)
