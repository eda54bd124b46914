"""All cases of a project: how far it is, what is searched for, and the table, worst first with the reason."""

from __future__ import annotations

from SpiderSegLib.workstation.ui.controls import button, icon
from SpiderSegLib.workstation.ui.elements import Js, act, element

COLUMNS = (
    ("PLACE", "Turn", "col-place"),
    ("SERIES", "Series", "col-series"),
    ("STATE", "State", "col-state"),
    ("WHY", "Why", "col-why"),
    ("LEVELS", "Levels", "col-levels"),
    ("FINDINGS", "Findings", "col-findings"),
    ("ANNOTATOR", "Annotator", "col-annotator"),
)


def build() -> None:
    """Adds the page to the open element."""
    with element("main", classes="page cases-page", v_if="mode === 'cases'"):
        with element("div", classes="cases-main"):
            _filters()
            _table()
            _empty()
            _pages()
        with element("aside", classes="cases-side", aria_label="State of the project", v_if="project"):
            element("h2", "Project")
            with element("div", classes="reviewed"):
                with element("div", classes="reviewed-words"):
                    element("span", "Reviewed")
                    element("span", "{{ Math.round(project.reviewed) }} %", classes="tabular")
                with element("div", classes="meter", aria_hidden="true"):
                    element("div", style=Js("{ width: project.reviewed + '%' }"))
            element("p", "{{ project.status }}", classes="project-status")


def _filters() -> None:
    with element("div", classes="filters", role="search"):
        with element("label", classes="search"):
            icon("magnify")
            element("span", "Search", classes="sr-only")
            element(
                "input",
                type="search",
                classes="field",
                v_model="casesWords",
                placeholder="Series, patient, state, reason, annotator",
                data_search=True,
            )
        with (
            element("div", classes="state-chips", role="group", aria_label="State"),
            element(
                "button",
                v_for="one in caseStates",
                key=Js("one.id"),
                type="button",
                classes="state-chip",
                aria_pressed=Js("casesState === one.id ? 'true' : 'false'"),
                on_click="casesState = one.id",
            ),
        ):
            element("span", "{{ one.text }}")
            element("span", "{{ one.count }}", classes="muted tabular")


def _table() -> None:
    with (
        element("div", classes="table-scroll", v_if="cases.length"),
        element("table", classes="cases", role="grid", aria_label="Cases", data_rows="cases", aria_rowcount=Js("casesCount")),
    ):
        with element("thead"), element("tr"):
            for column, words, classes in COLUMNS:
                isSorted = f"casesColumn === '{column}'"
                with (
                    element(
                        "th",
                        scope="col",
                        classes=classes,
                        aria_sort=Js(f"{isSorted} ? (casesDescending ? 'descending' : 'ascending') : 'none'"),
                    ),
                    element(
                        "button",
                        type="button",
                        on_click=f"casesDescending = {isSorted} ? !casesDescending : false; casesColumn = '{column}'",
                    ),
                ):
                    element("span", words)
                    element("i", classes=Js("'mdi ' + (casesDescending ? 'mdi-arrow-down' : 'mdi-arrow-up')"), v_if=isSorted, aria_hidden="true")
        with (
            element("tbody"),
            element(
                "tr",
                v_for="(row, index) in cases",
                key=Js("row.series"),
                role="row",
                data_row=True,
                tabindex=Js("(cases.some((one) => one.isCurrent) ? row.isCurrent : index === 0) ? 0 : -1"),
                aria_label=Js("row.series"),
                aria_current=Js("row.isCurrent ? 'true' : null"),
                classes=Js("{ current: row.isCurrent }"),
                on_click=act("openCase", Js("row.series")),
            ),
        ):
            element("td", "{{ row.place }}", role="gridcell", classes="right tabular muted")
            with element("td", role="gridcell"):
                element("span", "{{ row.series }}", classes="series-name")
            with element("td", role="gridcell"):
                element("span", "{{ row.stateText }}", classes=Js("'state state-' + row.state"))
            with element("td", role="gridcell", classes="why", data_tip=Js("row.why")):
                element("span", "{{ row.why }}")
            element("td", "{{ row.levels }}", role="gridcell", classes="muted")
            element("td", "{{ row.findings }}", role="gridcell", classes="muted")
            element("td", "{{ row.annotator }}", role="gridcell", classes="muted")


def _empty() -> None:
    with element("div", classes="empty", v_if="!cases.length"):
        icon("file-search-outline")
        with element("template", v_if="casesWords || casesState"):
            element("h2", "No case fits")
            element("p", "No series has these words and this state.")
            button("Show all cases", Js("casesWords = ''; casesState = ''"), kind="plain")
        with element("template", v_else=True):
            element("h2", "No cases yet")
            element("p", "Import series with: spiderseg project import. They appear here, worst first.")


def _pages() -> None:
    with element("div", classes="pages", v_if="cases.length"):
        element("span", "{{ casesCount === 1 ? '1 case' : casesCount + ' cases' }}", classes="muted", role="status")
        element("div", classes="grow")
        with element("template", v_if="casesPages > 1"):
            why = "({0} ? 'There are no more.' : '')"
            button("Previous page", Js("casesPage = casesPage - 1"), iconName="chevron-left", isIconOnly=True, why=Js(why.format("casesPage <= 1")))
            element("span", "Page {{ casesPage }} of {{ casesPages }}", classes="tabular")
            button(
                "Next page", Js("casesPage = casesPage + 1"), iconName="chevron-right", isIconOnly=True, why=Js(why.format("casesPage >= casesPages"))
            )
