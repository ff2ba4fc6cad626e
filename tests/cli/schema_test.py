"""The JSON Schema of recipes: it takes what the program takes, refuses what the program refuses, and docs/recipe.md names its keys."""

import concurrent.futures
import json
import re

import jsonschema

import program
from program import PHOTOS, ROOT, backbone, graft

PRESETS = ("probe", "linear", "finetune", "gradual", "tiny", "large")

# Parts of a recipe that are wrong, one mistake each: unknown keys and names, wrong types, values out of range.
WRONG = (
    {"sead": 1},
    {"seed": -1},
    {"seed": 1.5},
    {"graft": 2},
    {"task": "ranking"},
    {"device": 1},
    {"threads": True},
    {"backbone": {"classifier": "cut"}},
    {"backbone": "resnet18"},
    {"input": {"size": 7}},
    {"input": {"mean": [0, 0]}},
    {"input": {"mean": "date"}},
    {"data": {"mix": {"cutmix": {"on": "activations"}}}},
    {"backbone": {"pool": {"max": {"p": 3}}}},
    {"head": [{"whiten": "lda"}, {"linear": "classes"}]},
    {"input": {"std": [1, 1, 0]}},
    {"input": {"whiten": "lda"}},
    {"input": {"whiten": [[1, 0, 0], [0, 1, 0]]}},
    {"data": {"val": 1}},
    {"data": {"batch_size": "32"}},
    {"data": {"balance": {"effective": {"beta": 1}}}},
    {"data": {"balance": "some"}},
    {"data": {"augment": {"keep": ["colour"]}}},
    {"data": {"augment": {"transforms": {"horizontal_flip": {}}}}},
    {"data": {"augment": {"transforms": ["random_rotation"]}}},
    {"data": {"augment": {"transforms": [{"random_rotation": {"degrees": [1, 2, 3]}}]}}},
    {"data": {"augment": {"transforms": [{"random_rotation": {"degrees": 9, "fill": [0, 0, 256]}}]}}},
    {"data": {"augment": {"transforms": [{"random_erasing": {"value": "noise"}}]}}},
    {"data": {"augment": {"transforms": [{"jpeg": {"quality": [1.5, 90]}}]}}},
    {"cache": {"views": 0}},
    {"cache": {"activations": "ram"}},
    {"loss": {"cross_entropi": {}}},
    {"loss": {"focal": {"gamma": -1}}},
    {"loss": {"focal": {"gamma": 1}, "poly1": {}}},
    {"loss": {"bce": {"pos_weight": 0}}},
    {"loss": {"bce": {"pos_weight": "equal"}}},
    {"data": {"classes": [1]}},
    {"loss": []},
    {"head": []},
    {"head": [{"linear": 0}, {"linear": "classes"}]},
    {"head": [{"linear": "class"}]},
    {"head": [{"linear": "classes", "bias": "post"}]},
    {"head": [{"linear": "classes", "init": {"zeros": {"gain": 1}}}]},
    {"head": [{"activation": {"elu": {"alpha": -1}}}, {"linear": "classes"}]},
    {"head": [{"dropout": 1}, {"linear": "classes"}]},
    {"head": [{"relu": {}}, {"linear": "classes"}]},
    {"phases": []},
    {"phases": [{"epochs": 0}]},
    {"phases": [{"train": []}]},
    {"phases": [{"train": [1]}]},
    {"phases": [{"clip": {"norm": 0}}]},
    {"phases": [{"clip": "norm"}]},
    {"phases": [{"schedule": "step"}]},
    {"phases": [{"schedule": {"multi_step": {"milestones": []}}}]},
    {"phases": [{"optimizer": {"adamw": {"betas": [0.9, 1]}}}]},
    {"phases": [{"optimizer": {"lookahead": {"optimizer": {"sgd": {"lr": 0}}}}}]},
    {"phases": [{"optimizer": {"lbfgs": {"C": "auto"}}}]},
    {"stop": {"metric": "speed"}},
    {"distill": "teacher.pt"},
    {"distill": {"teacher": "teacher.pt", "alpha": 0}},
    {"distill": {"teacher": "teacher.pt", "temperature": 0}},
    {"preset": "best"},
    {"diagnosis": {"overfit_batch": 1}},
    {"input": {"mean": "photos"}},
    {"data": {"mix": {"mixup": {"alpha": 0}}}},
    {"task": "multi_label", "loss": {"bce": {"pos_weight": "some"}}},
)

# What stands beside them and is right.
RIGHT = (
    {},
    {"backbone": {"features": "layer3"}},
    {"input": {"mean": "data", "std": "data"}, "backbone": {"features": "layer3", "pool": {"gem": {"p": 2}}}},
    {"data": {"mix": {"mixup": {"on": "activations"}}}, "head": [{"whiten": "zca"}, {"linear": "classes"}]},
    {"task": "multi_label", "loss": {"bce": {"pos_weight": "balanced"}}, "stop": {"metric": "micro_f1"}},
    {"task": "regression", "stop": {"metric": "r2"}},
    {"task": "ordinal", "data": {"classes": ["low", "high"]}},
    {"input": {"whiten": "pca"}},
    {"input": {"whiten": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}},
    {"input": {"size": 512}, "data": {"augment": {"transforms": [{"random_crop": {"padding": 300}}]}}},
    {"data": {"balance": {"effective": {"beta": 0}}, "augment": {"keep": ["color"]}}},
    {"data": {"augment": {"transforms": ["horizontal_flip", {"random_rotation": {"degrees": [-9, 9], "fill": 255}}]}}},
    {"data": {"augment": {"transforms": [{"random_erasing": {"value": "random"}}, {"jpeg": {"quality": 90}}]}}},
    {"head": [{"linear": 8, "init": "zeros", "bias": 0.5}, {"activation": "relu"}, {"cosine": "classes"}]},
    {"phases": [{"schedule": {"multi_step": {"milestones": [1, 2]}}, "epochs": 3, "clip": {"value": 1}}]},
    {"phases": [{"optimizer": {"lookahead": {"optimizer": {"sgd": {"lr": 1}}}}, "average": "ema"}], "loss": "focal"},
    {"distill": {"teacher": "teacher.pt", "alpha": 1}},
    {"input": {"mean": "data", "std": "data"}, "preset": "tiny"},
    {"task": "multi_label", "loss": {"bce": {"pos_weight": "balanced"}}, "stop": {"metric": "micro_f1"}},
)


class SchemaTest(program.ProgramTest):
    @classmethod
    def setUpClass(cls):
        cls.schema = json.loads(graft("recipe", "--schema").stdout)
        jsonschema.Draft202012Validator.check_schema(cls.schema)
        cls.validator = jsonschema.Draft202012Validator(cls.schema)

    def is_taken(self, number, recipe):
        result = graft("recipe", "--check", self.write_json(f"recipe-{number}.json", recipe))
        self.assertIn(result.returncode, (0, 1), result.stderr)
        return result.returncode == 0

    def test_every_preset_is_valid(self):
        for preset in PRESETS:
            with self.subTest(preset=preset):
                self.validator.validate(json.loads(self.succeed("recipe", "--preset", preset).stdout))

    def test_the_recipe_of_a_run_is_valid_and_names_its_preset(self):
        for preset, taken in {"linear": "linear", "auto": "tiny"}.items():
            run = self.folder / preset
            options = ("--set", "input.size=32", "--set", "phases.0.epochs=1", "--preset", preset, "--threads", 1)
            said = self.succeed("train", PHOTOS, "--backbone", backbone("tiny_cnn.scripted"), *options, "--out", run).stdout
            recipe = json.loads((run / "recipe.json").read_text())
            self.validator.validate(recipe)
            self.assertEqual(recipe["preset"], taken)
            self.assertEqual("preset tiny: 20 training photos, fewer than 100" in said, preset == "auto")

    def test_the_program_and_the_schema_refuse_the_same(self):
        recipes = [*WRONG, *RIGHT]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            taken = list(pool.map(self.is_taken, range(len(recipes)), recipes))
        for number, (recipe, is_taken) in enumerate(zip(recipes, taken, strict=True)):
            with self.subTest(recipe=recipe):
                self.assertEqual(is_taken, number >= len(WRONG))
                self.assertEqual(self.validator.is_valid(recipe), is_taken)

    def test_recipes_among_the_examples(self):
        recipes = list((ROOT / "examples").glob("*.json"))
        self.assertIn("elpv.json", [file.name for file in recipes])
        for number, file in enumerate(recipes):
            recipe = json.loads(file.read_text())
            self.validator.validate(recipe)
            self.assertTrue(self.is_taken(number, recipe), file.name)

    def test_what_must_be_given_is_required(self):
        rotation = {"data": {"augment": {"transforms": [{"random_rotation": {"fill": 1}}]}}}
        error = jsonschema.exceptions.best_match(self.validator.iter_errors(rotation))
        self.assertIn("'degrees' is a required property", error.message)
        self.assertNotIn("required", self.schema)


class Keys:
    """Everything that a schema names: keys of the recipe by their dotted path, names of techniques with their options, and words."""

    def __init__(self, schema):
        self.definitions = schema.get("$defs", {})
        self.paths, self.options, self.words = set(), {}, set()
        self.walk(schema, "")
        for definition in self.definitions.values():
            self.walk(definition, None)

    def walk(self, node, path):
        """`path` is that of the recipe's own keys; None within what techniques take."""
        self.words.update(word for word in (*node.get("enum", ()), *([node["const"]] if "const" in node else ())))
        for choice in node.get("anyOf", ()):
            self.walk(choice, None)
        if "items" in node:
            self.walk(node["items"], path)
        is_technique = node.get("maxProperties") == 1
        for key, child in node.get("properties", {}).items():
            if is_technique:
                self.options.setdefault(key, set()).update(child.get("properties", {}))
            elif path is None:
                self.words.add(key)
            else:
                self.paths.add(f"{path}{key}")
            inside = path is not None and child.get("type") == "object"
            self.walk(child, None if path is None or is_technique else f"{path}{key}." if inside else "")

    def leaves(self):
        return {path for path in self.paths if not any(other.startswith(f"{path}.") for other in self.paths)}


def quoted(text):
    """The words of all that stands in backticks, but for calls of functions."""
    return {word for code in re.findall(r"`([^`(]+)`", text) for word in re.findall(r"[A-Za-z_][\w.]*", code)}


def cells_of(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("| "))]


class Page:
    """docs/recipe.md: the rows of its tables with the section in which they stand, and their second cells where these list options."""

    def __init__(self):
        text = (ROOT / "docs/recipe.md").read_text()
        self.rows, self.options = [], []
        for section in re.split(r"^##+ ", text, flags=re.M):
            lines = section.splitlines()
            lists_options = False
            for line, following in zip(lines, [*lines[1:], ""]):
                cells = cells_of(line)
                if following.startswith("|---"):
                    lists_options = cells[1] in ("values", "options", "limits")
                elif line.startswith("| ") and quoted(cells[0]):
                    self.rows.append((cells, section))
                    self.options += [cells[1]] if lists_options else []


class PageTest(program.ProgramTest):
    """docs/recipe.md and the schema name the same."""

    # What a user writes there; devices are no closed list.
    PLACEHOLDERS = {"WIDTH", "KIND", "NAME", "P", "N", "true", "false", "cpu", "cuda"}

    def setUp(self):
        super().setUp()
        self.keys = Keys(json.loads(self.succeed("recipe", "--schema").stdout))
        self.page = Page()

    def test_the_page_names_every_key(self):
        named = set().union(*(quoted(cells[0]) for cells, _ in self.page.rows))
        families = {path.rsplit(".", 1)[0] for path in named} | {path.split(".")[0] for path in named}
        self.assertEqual(sorted(self.keys.leaves() - named - families), [])

    def test_the_page_names_every_technique_with_its_options(self):
        for name, options in self.keys.options.items():
            sections = [
                section
                for cells, section in self.page.rows
                if name in {part for word in quoted(" ".join(cells)) for part in word.split(".")}
            ]
            with self.subTest(name=name):
                self.assertTrue(sections, "no row names it")
                missing = min((options - {w.rsplit(".", 1)[-1] for w in quoted(text)} for text in sections), key=len)
                self.assertEqual(sorted(missing), [])

    def test_the_page_names_nothing_else(self):
        options = set().union(*self.keys.options.values())
        known = self.keys.words | options | set(self.keys.options) | self.keys.paths | self.PLACEHOLDERS
        for cells, _ in self.page.rows:
            for word in quoted(cells[0]):
                with self.subTest(word=word):
                    family, _, rest = word.partition(".")
                    parts = {word} if family != "loss" or not rest else set(rest.split("."))
                    self.assertEqual(sorted(parts - known), [])
        for options in self.page.options:
            with self.subTest(options=options):
                self.assertEqual(sorted(quoted(options) - known), [])


if __name__ == "__main__":
    program.main()
