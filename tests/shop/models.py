"""One model for each kind of key, column and relation that a write can meet."""

from __future__ import annotations

import uuid

from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models.functions import Upper

from tests.shop.relations import Board, Hook, Sign, Sticker  # noqa: F401 -- models of this app


class Country(models.Model):
    """A text key, which may hold any character."""

    code = models.CharField(max_length=20, primary_key=True)
    name = models.CharField(max_length=50, db_default="nameless")

    def __str__(self) -> str:
        return self.code


class Shelf(models.Model):
    """A place for products; shelves can be in shelves."""

    name = models.CharField(max_length=50, default="")
    inside = models.ForeignKey("self", models.CASCADE, null=True, related_name="shelves")

    def __str__(self) -> str:
        return self.name


class VisibleProducts(models.Manager["Product"]):
    """A manager that hides rows."""

    def get_queryset(self) -> models.QuerySet[Product]:
        return super().get_queryset().filter(hidden=False)


class Tag(models.Model):
    """Related to products by a through table that Django makes, and to any row generically."""

    name = models.CharField(max_length=50, unique=True)
    content_type = models.ForeignKey(ContentType, models.CASCADE, null=True)
    object_id = models.PositiveIntegerField(null=True)
    about = GenericForeignKey("content_type", "object_id")

    def __str__(self) -> str:
        return self.name


class Product(models.Model):
    """An integer key, nullable relations, and a default manager that hides rows."""

    name = models.CharField(max_length=50, default="")
    shelf = models.ForeignKey(Shelf, models.CASCADE, null=True, related_name="products")
    origin = models.ForeignKey(Country, models.SET_NULL, null=True, related_name="products")
    maker = models.CharField(max_length=50, default="")
    price = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    since = models.DateTimeField(null=True)
    hidden = models.BooleanField(default=False)
    shout = models.GeneratedField(
        expression=Upper("name"), output_field=models.CharField(max_length=50), db_persist=True
    )
    tags = models.ManyToManyField(Tag, related_name="products")
    stuck = GenericRelation(Tag)

    objects = VisibleProducts()

    class Meta:
        # The SQL that capture reads with must not contain an ordering by a relation.
        ordering = ("shelf__name", "-name")

    def __str__(self) -> str:
        return self.name


class Discounted(Product):
    """A proxy."""

    class Meta:
        proxy = True


class Book(Product):
    """A multi-table child."""

    author = models.CharField(max_length=50, default="")
    chapter_of = models.ForeignKey("self", models.SET_NULL, null=True)


class Parcel(models.Model):
    """A UUID key that Python makes."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    country = models.ForeignKey(Country, models.PROTECT, null=True)

    def __str__(self) -> str:
        return str(self.id)


class Express(Parcel):
    """A multi-table child of a parent whose key does not come from the database."""

    hours = models.IntegerField(default=24)


class Coupon(models.Model):
    """A key that the database makes by an expression."""

    code = models.CharField(max_length=20, primary_key=True, db_default=Upper(models.Value("free")))
    shelf = models.ForeignKey(Shelf, models.CASCADE, null=True)

    def __str__(self) -> str:
        return str(self.code)


class Stock(models.Model):
    """A composite key."""

    pk = models.CompositePrimaryKey("shop_number", "product")
    shop_number = models.IntegerField()
    product = models.CharField(max_length=20)
    amount = models.IntegerField(default=0)
    shelf = models.ForeignKey(Shelf, models.SET_NULL, null=True)

    def __str__(self) -> str:
        return f"{self.product} in {self.shop_number}"


class Review(models.Model):
    """A row about any row of any model."""

    text = models.CharField(max_length=50, default="")
    content_type = models.ForeignKey(ContentType, models.CASCADE, null=True)
    object_id = models.PositiveBigIntegerField(null=True)
    about = GenericForeignKey("content_type", "object_id")

    def __str__(self) -> str:
        return self.text


class Customer(models.Model):
    """Relations to itself: a symmetrical one, and one that is not."""

    name = models.CharField(max_length=50, unique=True)
    friends = models.ManyToManyField("self")
    follows = models.ManyToManyField("self", symmetrical=False, related_name="followers")
    reviews = GenericRelation(Review)

    def __str__(self) -> str:
        return self.name


class Wish(models.Model):
    """A row in an order that Django keeps."""

    customer = models.ForeignKey(Customer, models.CASCADE)
    text = models.CharField(max_length=50, default="")

    class Meta:
        order_with_respect_to = "customer"

    def __str__(self) -> str:
        return self.text


class LowerCaseField(models.CharField):
    """A field that stores another text than the object holds."""

    def get_db_prep_save(self, value: object, connection: object) -> object:
        """Return the text as it is stored."""
        return super().get_db_prep_save(str(value).lower(), connection)


class Nickname(models.Model):
    """A key whose stored value the object does not have."""

    name = LowerCaseField(max_length=20, primary_key=True)

    def __str__(self) -> str:
        return self.name


class Visit(models.Model):
    """An untracked model."""

    page = models.CharField(max_length=50, default="")

    def __str__(self) -> str:
        return self.page


class Abstract(models.Model):
    """A model without a table."""

    class Meta:
        abstract = True
