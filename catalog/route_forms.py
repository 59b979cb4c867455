"""What people type about a route: its own fields, and one small form for each of its models."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from django import forms
from django.forms.boundfield import BoundField
from django.http import QueryDict

from catalog.models import MAX_RETRIES, Route
from catalog.region_field import RegionsField
from catalog.routes import MAX_TARGETS, MAX_WEIGHT, NO_TARGETS, RouteError, RouteSpec, TargetSpec
from catalog.targets import TargetOption

# What stands in the fields of a form, by their names.
Values = dict[str, Any]

# A new route begins with room for a model and one that stands in for it.
_EMPTY_ROWS = 2


def _outside(message: str) -> dict[str, str]:
    """Return what a field of numbers says to whatever is none of them."""
    return dict.fromkeys(("required", "invalid", "min_value", "max_value"), message)


class RouteForm(forms.Form):
    """A route without its models."""

    use_required_attribute = False

    name = forms.CharField(
        label="Name",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True, "placeholder": "support"}),
        help_text="Clients call the route as the model route/<name>.",
        error_messages={"required": "Give it a name."},
    )
    strategy = forms.ChoiceField(
        label="Models are used",
        choices=[
            (Route.Strategy.ORDERED, "In order: each stands in for the one before"),
            (Route.Strategy.WEIGHTED, "By weight"),
        ],
        initial=Route.Strategy.ORDERED,
        widget=forms.RadioSelect,
    )
    retries = forms.IntegerField(
        label="Retries",
        min_value=0,
        max_value=MAX_RETRIES,
        initial=1,
        help_text=f"0 to {MAX_RETRIES} more attempts at each provider key and model after an error that may pass; "
        "a request makes at most ten calls.",
        error_messages=_outside(f"Retries are 0 to {MAX_RETRIES}."),
    )
    allowed_regions = RegionsField()
    same_model_fallback = forms.BooleanField(
        label="Fall back to other offerings of the same model",
        required=False,
        help_text="When all of these fail, the same models are asked for elsewhere: another bill, another region.",
    )
    enabled = forms.BooleanField(
        label="In use", required=False, initial=True, help_text="Otherwise whoever calls it is refused."
    )


@dataclass(frozen=True)
class RowButton:
    """A button of one row. ``sign`` is what it shows, ``label`` what is read out."""

    move: str
    label: str
    sign: str
    is_focused: bool
    is_disabled: bool = False


class TargetForm(forms.Form):
    """One model of a route, of ``rows``; a row without a model counts for nothing.

    ``why_not`` is why the model that stands there cannot be called now. ``focus`` is which of the row's controls gets
    the keyboard: model, up, down or remove; '' for none.
    """

    use_required_attribute = False

    model = forms.CharField(
        label="Model",
        required=False,
        widget=forms.TextInput(
            attrs={
                "list": "models",
                "placeholder": "Type to search",
                "autocomplete": "off",
                "autocapitalize": "off",
                "spellcheck": "false",
            }
        ),
    )
    weight = forms.IntegerField(
        label="Weight",
        required=False,
        min_value=1,
        max_value=MAX_WEIGHT,
        initial=1,
        error_messages=_outside(f"A weight is 1 to {MAX_WEIGHT}."),
    )

    def __init__(self, *args: Any, number: int, rows: int, why_not: str, **options: Any) -> None:
        options["prefix"] = _prefix(number)
        super().__init__(*args, **options)
        self.number, self.rows, self.why_not, self.focus = number, rows, why_not, ""

    @property
    def buttons(self) -> list[RowButton]:
        """What moves the row and removes it."""
        at, model = self.number, f"model {self.number + 1}"
        return [
            RowButton(f"up-{at}", f"Move {model} up", "↑", self.focus == "up", at == 0),
            RowButton(f"down-{at}", f"Move {model} down", "↓", self.focus == "down", at == self.rows - 1),
            RowButton(f"remove-{at}", f"Remove {model}", "✕", self.focus == "remove"),
        ]

    def clean_weight(self) -> int:
        return self.cleaned_data["weight"] or 1


class RouteForms:
    """The form of a route as a whole: unbound, bound to what was posted, or rearranged by one of its buttons.

    Without scripts or with them, the buttons that add, remove and move a model send the whole form, and get it back
    with that done and nothing saved.
    """

    def __init__(
        self,
        values: Values,
        rows: Sequence[Values],
        options: Sequence[TargetOption],
        *,
        data: QueryDict | None = None,
    ) -> None:
        # What can be called now comes first.
        self.options = sorted(options, key=lambda option: bool(option.why_not))
        reasons = {option.model_string: option.why_not for option in options}
        self.is_bound = data is not None
        self.route = RouteForm(data, initial=values)
        self.targets = [
            TargetForm(
                data, initial=row, number=number, rows=len(rows), why_not=reasons.get(str(row.get("model", "")), "")
            )
            for number, row in enumerate(rows)
        ]

    @classmethod
    def of(cls, spec: RouteSpec | None, options: Sequence[TargetOption]) -> Self:
        """Return the form of what a route is now; without ``spec``, of a new one."""
        if spec is None:
            return cls({}, [{}] * _EMPTY_ROWS, options)
        rows = [{"model": target.model_string, "weight": target.weight} for target in spec.targets]
        return cls({name: getattr(spec, name) for name in RouteForm.base_fields}, rows, options)

    @classmethod
    def read(cls, data: QueryDict, options: Sequence[TargetOption]) -> Self:
        """Return what was posted: to be checked, or as a button rearranged it."""
        fields = RouteForm.base_fields.items()
        values = {name: field.widget.value_from_datadict(data, {}, name) for name, field in fields}
        rows = list(_posted_rows(data))
        move = str(data.get("rearrange", ""))
        if not move:
            return cls(values, rows, options, data=data)
        rows, at, control = _rearranged(rows, move)
        rearranged = cls(values, rows, options)
        rearranged._focus(at, control)
        return rearranged

    @property
    def fields(self) -> list[BoundField]:
        """Every field there is, for the slots of its errors."""
        return [*self.route, *(field for target in self.targets for field in target)]

    @property
    def may_add(self) -> bool:
        """Whether there is room for one more model."""
        return len(self.targets) < MAX_TARGETS

    def is_valid(self) -> bool:
        """Whether each value can be read, and there is a model; what they are together is the service's to judge."""
        is_readable = self.is_bound and all([self.route.is_valid(), *(target.is_valid() for target in self.targets)])
        is_empty = self.is_bound and not self._filled()
        if is_empty:
            # Said together with whatever else is missing.
            self.route.add_error(None, NO_TARGETS)
        return is_readable and not is_empty

    def spec(self) -> RouteSpec:
        """Return what was asked for."""
        values = self.route.cleaned_data
        return RouteSpec(
            name=values["name"],
            targets=[TargetSpec(form.cleaned_data["model"], form.cleaned_data["weight"]) for form in self._filled()],
            strategy=values["strategy"],
            retries=values["retries"],
            allowed_regions=values["allowed_regions"],
            same_model_fallback=values["same_model_fallback"],
            enabled=values["enabled"],
        )

    def add_error(self, error: RouteError) -> None:
        """Show what the service refused beside the value at fault."""
        first, *rest = error.field.split(".")
        if first != "targets":
            self.route.add_error(first, str(error))
        elif rest:
            self._filled()[int(rest[0])].add_error(rest[1], str(error))
        else:
            self.route.add_error(None, str(error))

    def _focus(self, at: int, control: str) -> None:
        """Let the keyboard go on where it was, in the row that moved."""
        del self.route.fields["name"].widget.attrs["autofocus"]
        self.targets[at].focus = control
        if control == "model":
            self.targets[at].fields["model"].widget.attrs["autofocus"] = True

    def _filled(self) -> list[TargetForm]:
        return [form for form in self.targets if form.cleaned_data.get("model")]


def _prefix(number: int) -> str:
    return f"targets-{number}"


def _posted_rows(data: QueryDict) -> Iterator[Values]:
    for number in range(MAX_TARGETS):
        prefix = _prefix(number)
        if f"{prefix}-model" not in data:
            return
        yield {"model": data[f"{prefix}-model"], "weight": data.get(f"{prefix}-weight", "")}


def _rearranged(rows: list[Values], move: str) -> tuple[list[Values], int, str]:
    """Return ``rows`` after ``move``, and which row's which control comes next.

    A move is add, or remove-, up- or down- with a row's number; any other adds too, where there is room.
    """
    what, _, number = move.partition("-")
    last = len(rows) - 1
    at = next((row for row in range(len(rows)) if str(row) == number), len(rows))
    if what == "remove" and at <= last:
        kept = rows[:at] + rows[at + 1 :]
        return kept or [{}], min(at, max(last - 1, 0)), "remove"
    if what == "up" and 0 < at <= last:
        return _swapped(rows, at, at - 1), at - 1, "up" if at > 1 else "down"
    if what == "down" and at < last:
        return _swapped(rows, at, at + 1), at + 1, "down" if at + 1 < last else "up"
    grown = [*rows, {}][:MAX_TARGETS]
    return grown, len(grown) - 1, "model"


def _swapped(rows: list[Values], one: int, other: int) -> list[Values]:
    rows[one], rows[other] = rows[other], rows[one]
    return rows
